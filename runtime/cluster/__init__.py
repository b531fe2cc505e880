"""Work that other machines do: a Dask cluster carries out `graphspec` commands in folders that all machines see."""
