"""The Python tests: a package, so that the test files can share the references beside them."""
