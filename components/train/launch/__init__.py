"""Start a training wherever it is to run: in this process, in several here, in pods of a cluster."""
