# The types of core_variables.py's compiled form.
from gateway.http.request cimport Request
