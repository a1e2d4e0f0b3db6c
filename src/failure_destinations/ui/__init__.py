"""The operator's page: failed events in a browser on this machine (`failure-destinations ui`)."""
