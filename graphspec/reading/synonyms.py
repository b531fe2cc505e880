"""Other people's words for the things of the language."""

_TABLE = """
# sections
recognition: encoder guide inference inference_network posterior q
generative: decoder generator model p
variables: nodes vars
networks: architectures modules nets
objective: loss
data source: dataset
training: trainer optimization
graphspec: version
name: title
description: comment
# fields
kind domain role: type
distribution kind: family
distribution: dist
network: net
network kind: architecture
parents: inputs input given depends_on
parameters: params param
stop_gradient: detach
allow: silence ignore
colour: color
grey: gray grayscale greyscale
classes: num_classes n_classes k
classes names: categories
names labels: labels
names: class_names
size: dim
shape size: dims
size: dimension
shape size: dimensions
hidden size: width
hidden: units
hidden blocks: layers
hidden: hidden_sizes hidden_dims hidden_layers hidden_size hidden_dim
channels: filters
channels hidden: features
kernel: kernel_size
stride: strides
activation: nonlinearity act
normalization: norm
normalization batch: batch_norm
learning_rate: lr step_size learningrate
epochs: num_epochs max_epochs n_epochs epoch steps
batch_size: bs batch batchsize
seed: random_state random_seed
weight_decay: l2
gradient_clip: clip grad_clip clip_norm
patience: early_stopping
precision: amp
samples: num_samples n_samples importance_samples particles
estimators: estimator
beta: kl_weight
source: path
source rows: file
validation: valid val dev
variables columns: columns
labels: supervision
minimum min: min
maximum max: max
min minimum: minimum
max maximum: maximum
with: same_as like
from begin: start
to: end
initial initialize: init
initial: init_value
initialize: pretrained
initialize from: checkpoint
freeze: frozen
dropout: dropout_rate
target: module
category classes target: class
args: kwargs
# roles and domains
observed: visible
observed data: data
supervised: label labelled semi_supervised
supervised target: target
latent hidden: hidden
latent: unobserved latents
deterministic: feature function
real: float continuous
unit: image pixels unit_interval probability
binary: bool boolean
category: discrete
category categorical: categorical
category: class_index
count: int integer
positive count: nonnegative
direction: sphere unit_vector
simplex: probabilities
# distributions
normal: gaussian gauss diagonal_gaussian
lognormal: log_normal
student_t: studentt t
categorical: softmax multinomial onehotcategorical one_hot
categorical category: category
bernoulli sigmoid: sigmoid
bernoulli binary: binary
normal: mse
bernoulli: bce
categorical: cross_entropy
gamma exponential: exponential
ordered_logistic: ordinal
negative_binomial: nb
zero_inflated_poisson: zip
zero_inflated_negative_binomial: zinb
von_mises_fisher: vmf
neural_spline: nsf spline
inverse_autoregressive: iaf
masked_autoregressive: maf
discretized_logistic: mixture_of_logistics
# parameters
loc mean: mu mean
scale: sigma std stddev variance
concentration concentration1: alpha
rate: lambda
probs: p_
# kinds of networks, activations, normalization, optimizers, estimators
cnn: conv convnet convolution conv2d
deconv: convtranspose conv_transpose transposed
mlp linear: dense fc
mlp: fully_connected feedforward nn
linear: affine
resnet: residual
gru: rnn lstm
identity none: none
product: multiply
sum: add
python: custom
silu: swish
leaky_relu: leakyrelu lrelu
sigmoid: logistic
identity linear: linear
batch normalization: batchnorm
layer normalization: layernorm layer_norm
reparameterize: reparam pathwise
enumerate: exact marginalize
enumerate sum: sum
relax: gumbel gumbel_softmax concrete
score_function: reinforce
importance_weighted: iwae
elbo: vae
fp32: float32
bf16: bfloat16 fp16
"""
"""One line: our words, best first, and what users of other tools write for them."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    theirs: tuple(ours.split())
    for ours, _, words in (line.partition(":") for line in _TABLE.splitlines() if not line.startswith("#"))
    for theirs in words.split()
}
"""What users of other tools write -> our words, best first. A word is taken only where it is legal."""
