"""What tests and measurements share: fakes, factories, local services. Never deployed, no tests."""
