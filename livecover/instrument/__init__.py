"""The engine with recorder, monitor and piano, behind one class that everything else controls."""
