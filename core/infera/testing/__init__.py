"""For plugin authors: a pytest plugin, fakes, and one conformance suite per extension kind.

    from infera.testing.conformance import EngineConformance

    class TestMyEngine(EngineConformance):
        @pytest.fixture
        def engine(self): return MyEngine(MyConfig(), ...)

The built-in plugins run the same suites. The pytest plugin comes with the package; its fixtures are
`infera_home`, `infera_bus`, `make_node` and `no_blocking_calls`.
"""
