# cython: language_level=3, boundscheck=False, wraparound=False
"""What is evaluated for a request: getters of variables, templates; called in C by what is compiled; see value.pyi."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memcpy, strchr, strcmp, strncmp

import sys


cdef class Value:
    def __call__(self, request):
        return self.value(request)

    cpdef value(self, request):
        raise NotImplementedError  # abstract: each kind of value has its own


cdef class Getter(Value):
    def __init__(self, function):
        self.function = function
        self.entry = entry_of(function)

    cpdef value(self, request):
        # A compiled function looks at the type of what it is given when it is called from Python; a type that it took
        # once needs no further look.
        if type(request) is self.asked:
            return self.entry(<void *> request, 0)
        result = self.function(request)
        if self.entry != NULL:
            self.asked = type(request)
        return result


cdef Entry entry_of(function) except? NULL:
    """The C function behind a module's function of one argument that its .pxd declares; NULL where there is none."""
    module = sys.modules.get(getattr(function, "__module__", None))
    name = getattr(function, "__name__", None)
    if module is None or getattr(module, name or "", None) is not function:
        return NULL
    capsule = getattr(module, "__pyx_capi__", {}).get(name)
    if capsule is None:
        return NULL
    cdef const char *declared = PyCapsule_GetName(capsule)
    cdef const char *comma = strchr(declared, 44)
    if (
        strncmp(declared, b"PyObject *(struct __pyx_obj_", 28)
        or comma == NULL or strcmp(comma, b", int __pyx_skip_dispatch)")
    ):
        return NULL
    return <Entry> PyCapsule_GetPointer(capsule, declared)


cdef class Joined(Value):
    def __init__(self, parts):
        self.parts = tuple([part if type(part) is bytes else value_of(part) for part in parts])

    cpdef value(self, request):
        return self.join(request)

    cdef bytes join(self, request):
        cdef Py_ssize_t count = PyTuple_GET_SIZE(self.parts), i, total = 0
        cdef list values = [None] * count
        cdef object part
        cdef bytes text, result
        cdef char *out
        for i in range(count):
            part = <object> PyTuple_GET_ITEM(self.parts, i)
            if type(part) is not bytes:
                part = (<Value> part).value(request)
                if part is None:
                    part = b""
            text = part
            values[i] = text
            total += PyBytes_GET_SIZE(text)
        result = PyBytes_FromStringAndSize(NULL, total)
        out = PyBytes_AS_STRING(result)
        for i in range(count):
            part = <object> PyList_GET_ITEM(values, i)
            memcpy(out, PyBytes_AS_STRING(part), PyBytes_GET_SIZE(part))
            out += PyBytes_GET_SIZE(part)
        return result


cpdef Value value_of(getter):
    return getter if isinstance(getter, Value) else Getter(getter)
