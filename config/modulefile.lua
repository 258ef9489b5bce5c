-- A module for Lmod. make install fills in where cgm is and puts it under share/cgm/modulefiles:
--     module use PREFIX/share/cgm/modulefiles; module load cgm
-- Where the MPI library comes from a module too, add the one that cgm was built with, say
--     depends_on("openmpi")
local prefix = "@PREFIX@"

help([[
cgm values the data that parties pool, and draws their rewards of synthetic data, on MPI ranks:
    mpirun -n 5 cgm run my.ini
man cgm tells commands and options. Configurations to begin with and job scripts are in $CGM_SHARE.
Without a batch system that does so, set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to 1.
]])
whatis("Name: cgm")
whatis("Version: @VERSION@")
whatis("Description: fair synthetic-data rewards for parties that pool their data")

conflict("cgm")
prepend_path("PATH", pathJoin(prefix, "bin"))
prepend_path("MANPATH", pathJoin(prefix, "share/man"))
append_path("MANPATH", "") -- the system's pages, where nothing was set
setenv("CGM_SHARE", pathJoin(prefix, "share/cgm"))
