# The types of variables.py's compiled form.
from gateway.http.request cimport Request
