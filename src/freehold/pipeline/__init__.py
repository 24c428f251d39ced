"""The pipeline: freeze, train, check, prove and move as one durable run, in a workspace.

workspace   a state folder, opened       steps      what each step does
runs        the runs that people ask for  workflow   how a run is kept, and goes on after a kill
"""
