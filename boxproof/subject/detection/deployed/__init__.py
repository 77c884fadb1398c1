"""How a box is deployed: which object is the agent, and the files, directories and charts it comes with."""
