"""What every pytest run here needs: the tests of the harness drive pytest itself."""

pytest_plugins = ["pytester"]
