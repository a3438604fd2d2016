"""The rules of what is judged here; their checks stand in the modules beside."""
