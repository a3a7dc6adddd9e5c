# The types of script.py's compiled form.
from gateway.http.request cimport Request
