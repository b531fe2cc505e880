"""Did you mean: near spellings, other people's words for the same thing, and fields that live elsewhere."""

from collections.abc import Iterable
from difflib import SequenceMatcher

# What users of other tools write -> our words, best first. A word is taken only where it is legal.
SYNONYMS: dict[str, tuple[str, ...]] = {
    # sections
    "encoder": ("recognition",),
    "guide": ("recognition",),
    "inference": ("recognition",),
    "inference_network": ("recognition",),
    "posterior": ("recognition",),
    "q": ("recognition",),
    "decoder": ("generative",),
    "generator": ("generative",),
    "model": ("generative",),
    "p": ("generative",),
    "nodes": ("variables",),
    "vars": ("variables",),
    "architectures": ("networks",),
    "modules": ("networks",),
    "nets": ("networks",),
    "loss": ("objective",),
    "dataset": ("data", "source"),
    "trainer": ("training",),
    "optimization": ("training",),
    "version": ("graphspec",),
    "title": ("name",),
    "comment": ("description",),
    # fields
    "type": ("kind", "domain", "role"),
    "family": ("distribution", "kind"),
    "dist": ("distribution",),
    "net": ("network",),
    "architecture": ("network", "kind"),
    "inputs": ("parents",),
    "input": ("parents",),
    "given": ("parents",),
    "depends_on": ("parents",),
    "params": ("parameters",),
    "param": ("parameters",),
    "detach": ("stop_gradient",),
    "silence": ("allow",),
    "ignore": ("allow",),
    "num_classes": ("classes",),
    "n_classes": ("classes",),
    "k": ("classes",),
    "categories": ("classes", "names"),
    "labels": ("names", "labels"),
    "class_names": ("names",),
    "dim": ("size",),
    "dims": ("shape", "size"),
    "dimension": ("size",),
    "dimensions": ("shape", "size"),
    "width": ("hidden", "size"),
    "units": ("hidden",),
    "layers": ("hidden", "blocks"),
    "hidden_sizes": ("hidden",),
    "hidden_dims": ("hidden",),
    "hidden_layers": ("hidden",),
    "hidden_size": ("hidden",),
    "hidden_dim": ("hidden",),
    "filters": ("channels",),
    "features": ("channels", "hidden"),
    "kernel_size": ("kernel",),
    "strides": ("stride",),
    "nonlinearity": ("activation",),
    "act": ("activation",),
    "norm": ("normalization",),
    "batch_norm": ("normalization", "batch"),
    "lr": ("learning_rate",),
    "step_size": ("learning_rate",),
    "learningrate": ("learning_rate",),
    "num_epochs": ("epochs",),
    "max_epochs": ("epochs",),
    "n_epochs": ("epochs",),
    "epoch": ("epochs",),
    "steps": ("epochs",),
    "bs": ("batch_size",),
    "batch": ("batch_size",),
    "batchsize": ("batch_size",),
    "random_state": ("seed",),
    "random_seed": ("seed",),
    "l2": ("weight_decay",),
    "clip": ("gradient_clip",),
    "grad_clip": ("gradient_clip",),
    "clip_norm": ("gradient_clip",),
    "early_stopping": ("patience",),
    "amp": ("precision",),
    "num_samples": ("samples",),
    "n_samples": ("samples",),
    "importance_samples": ("samples",),
    "particles": ("samples",),
    "estimator": ("estimators",),
    "kl_weight": ("beta",),
    "path": ("source",),
    "file": ("source", "rows"),
    "valid": ("validation",),
    "val": ("validation",),
    "dev": ("validation",),
    "columns": ("variables", "columns"),
    "supervision": ("labels",),
    "min": ("minimum", "min"),
    "max": ("maximum", "max"),
    "minimum": ("min", "minimum"),
    "maximum": ("max", "maximum"),
    "same_as": ("with",),
    "like": ("with",),
    "start": ("from", "begin"),
    "end": ("to",),
    "init": ("initial", "initialize"),
    "init_value": ("initial",),
    "pretrained": ("initialize",),
    "checkpoint": ("initialize", "from"),
    "frozen": ("freeze",),
    "dropout_rate": ("dropout",),
    "module": ("target",),
    "class": ("category", "classes", "target"),
    "kwargs": ("args",),
    # roles and domains
    "visible": ("observed",),
    "data": ("observed", "data"),
    "label": ("supervised",),
    "labelled": ("supervised",),
    "semi_supervised": ("supervised",),
    "target": ("supervised", "target"),
    "hidden": ("latent", "hidden"),
    "unobserved": ("latent",),
    "latents": ("latent",),
    "feature": ("deterministic",),
    "function": ("deterministic",),
    "float": ("real",),
    "continuous": ("real",),
    "image": ("unit",),
    "pixels": ("unit",),
    "unit_interval": ("unit",),
    "probability": ("unit",),
    "bool": ("binary",),
    "boolean": ("binary",),
    "discrete": ("category",),
    "categorical": ("category", "categorical"),
    "class_index": ("category",),
    "int": ("count",),
    "integer": ("count",),
    "nonnegative": ("positive", "count"),
    "sphere": ("direction",),
    "unit_vector": ("direction",),
    "probabilities": ("simplex",),
    # distributions
    "gaussian": ("normal",),
    "gauss": ("normal",),
    "diagonal_gaussian": ("normal",),
    "log_normal": ("lognormal",),
    "studentt": ("student_t",),
    "t": ("student_t",),
    "softmax": ("categorical",),
    "multinomial": ("categorical",),
    "onehotcategorical": ("categorical",),
    "one_hot": ("categorical",),
    "category": ("categorical", "category"),
    "sigmoid": ("bernoulli", "sigmoid"),
    "binary": ("bernoulli", "binary"),
    "mse": ("normal",),
    "bce": ("bernoulli",),
    "cross_entropy": ("categorical",),
    "exponential": ("gamma", "exponential"),
    "ordinal": ("ordered_logistic",),
    "nb": ("negative_binomial",),
    "zip": ("zero_inflated_poisson",),
    "zinb": ("zero_inflated_negative_binomial",),
    "vmf": ("von_mises_fisher",),
    "nsf": ("neural_spline",),
    "spline": ("neural_spline",),
    "iaf": ("inverse_autoregressive",),
    "maf": ("masked_autoregressive",),
    "mixture_of_logistics": ("discretized_logistic",),
    # parameters
    "mu": ("loc", "mean"),
    "mean": ("loc", "mean"),
    "sigma": ("scale",),
    "std": ("scale",),
    "stddev": ("scale",),
    "variance": ("scale",),
    "alpha": ("concentration", "concentration1"),
    "lambda": ("rate",),
    "p_": ("probs",),
    # kinds of networks, activations, normalization, optimizers, estimators
    "conv": ("cnn",),
    "convnet": ("cnn",),
    "convolution": ("cnn",),
    "conv2d": ("cnn",),
    "convtranspose": ("deconv",),
    "conv_transpose": ("deconv",),
    "transposed": ("deconv",),
    "dense": ("mlp", "linear"),
    "fc": ("mlp", "linear"),
    "fully_connected": ("mlp",),
    "feedforward": ("mlp",),
    "nn": ("mlp",),
    "affine": ("linear",),
    "residual": ("resnet",),
    "rnn": ("gru",),
    "lstm": ("gru",),
    "none": ("identity", "none"),
    "multiply": ("product",),
    "add": ("sum",),
    "custom": ("python",),
    "swish": ("silu",),
    "leakyrelu": ("leaky_relu",),
    "lrelu": ("leaky_relu",),
    "logistic": ("sigmoid",),
    "linear": ("identity", "linear"),
    "batchnorm": ("batch", "normalization"),
    "layernorm": ("layer", "normalization"),
    "layer_norm": ("layer", "normalization"),
    "reparam": ("reparameterize",),
    "pathwise": ("reparameterize",),
    "exact": ("enumerate",),
    "marginalize": ("enumerate",),
    "sum": ("enumerate", "sum"),
    "gumbel": ("relax",),
    "gumbel_softmax": ("relax",),
    "concrete": ("relax",),
    "reinforce": ("score_function",),
    "iwae": ("importance_weighted",),
    "vae": ("elbo",),
    "float32": ("fp32",),
    "bfloat16": ("bf16",),
    "fp16": ("bf16",),
}

_CLOSE = 0.7
_DETOUR = 0.1  # a slip in a synonym is a weaker hint than a slip in the word itself


def suggest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` probably stands for; None if there is no good one.

    In this order: the same letters in another case or with other separators, a synonym, the closest spelling.
    """
    legal = list(candidates)
    folded = _fold(word)
    for candidate in legal:
        if _fold(candidate) == folded:
            return candidate
    for synonym in (*SYNONYMS.get(word.lower().replace("-", "_"), ()), *SYNONYMS.get(folded, ())):
        if synonym in legal:
            return synonym
    near = [(_fold(candidate), candidate, 0.0) for candidate in legal]
    known_words = set(legal)
    for known, meant in SYNONYMS.items():
        target = next((synonym for synonym in meant if synonym in known_words), None)
        if target is not None and len(known) > 4:
            near.append((_fold(known), target, _DETOUR))
    best, found = _CLOSE, None
    for spelling, target, detour in near:
        if _most(folded, spelling) - detour < best:
            continue
        closeness = _closeness(folded, spelling) - detour
        if closeness > best or (closeness == best and found is None):
            best, found = closeness, target
    return found


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`did you mean NAME?`, or nothing."""
    found = suggest(word, candidates)
    return f"did you mean `{found}`?" if found is not None and found != word else ""


def listed(words: Iterable[str], joint: str = "or", *, quote: bool = True) -> str:
    """`a`, `b` or `c`."""
    shown = [f"`{word}`" if quote else word for word in words]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {joint} {shown[-1]}" if shown else ""


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "")


def _most(word: str, candidate: str) -> float:
    """No less than `_closeness`, and quick: letters that both have."""
    if not word or not candidate:
        return 0.0
    shared = sum(min(word.count(letter), candidate.count(letter)) for letter in set(candidate))
    return 2 * shared / (len(word) + len(candidate))


def _closeness(word: str, candidate: str) -> float:
    """Ratio of matching letters in [0, 1]; a swap, a slip or a lost letter in a short word still counts as close."""
    if not word or not candidate:
        return 0.0
    ratio = SequenceMatcher(None, word, candidate, autojunk=False).ratio()
    if sorted(word) == sorted(candidate) and len(word) > 2:
        return max(ratio, 0.9)
    return ratio
