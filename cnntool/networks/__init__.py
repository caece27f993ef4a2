"""Networks: layers with parameters, and the file that holds a trained one."""
