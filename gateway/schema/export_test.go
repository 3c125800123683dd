package schema

// PythonFloat is for tests that compare values with Python's.
var PythonFloat = pythonFloat
