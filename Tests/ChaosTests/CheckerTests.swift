import ChaosChecker
import Testing

@Suite struct CheckerTests {}
