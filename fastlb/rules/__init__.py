"""Rules and samples compiled into tables that the engine reads: src/rules.pxi and its like."""
