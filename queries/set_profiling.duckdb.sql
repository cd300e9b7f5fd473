-- Have this connection note what its statements read, and print nothing of it.
SET enable_profiling = 'no_output'
