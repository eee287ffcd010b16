"""Case tools as servers on a real socket, each after its documentation."""
