"""Container images: a Dockerfile each, the steps that they share, and a rehearsal of both where there is no docker."""
