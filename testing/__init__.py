"""What tests and measurements share: fakes, factories, local services. Has no tests; never
deployed."""
