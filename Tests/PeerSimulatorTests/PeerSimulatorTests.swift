// PeerSimulatorTests
