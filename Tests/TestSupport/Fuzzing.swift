import Foundation

/// Random numbers that come again with their seed (SplitMix64).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    public mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &self) == 0 }

    public mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &self)]
    }

    public mutating func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
        (0..<Int.random(in: count, using: &self)).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }
}

/// Runs a property many times, each with random numbers of its own. `SYNC_FUZZ_RUNS` multiplies the number of runs, and
/// `SYNC_FUZZ_SEED` begins with that seed: that of a failure shows it again in the first run.
///
/// - Parameter body: Gets the seed of its run for the message of a failure.
public func fuzz(runs: Int, _ body: (inout SeededGenerator, _ seed: UInt64) throws -> Void) rethrows {
    let environment = ProcessInfo.processInfo.environment
    let factor = environment["SYNC_FUZZ_RUNS"].flatMap(Int.init) ?? 1
    let first = environment["SYNC_FUZZ_SEED"].flatMap { UInt64($0) } ?? 20_261_124
    for run in 0..<UInt64(runs * factor) {
        let seed = first &+ run
        var random = SeededGenerator(seed: seed)
        try body(&random, seed)
    }
}

extension SeededGenerator {
    /// A few changes of a text: bits turned over, pieces cut out, doubled or moved, words of the format put in, an end
    /// cut off.
    public mutating func mutate(_ original: [UInt8], words: [String]) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let place = Int.random(in: 0...bytes.count, using: &self)
            let end = min(bytes.count, place + Int.random(in: 1...12, using: &self))
            switch Int.random(in: 0..<6, using: &self) {
            case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 1 where place < bytes.count: bytes[place] = UInt8.random(in: .min ... .max, using: &self)
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...place, using: &self))
            case 4: bytes.replaceSubrange(place..<end, with: pick(words).utf8)
            default:
                if chance(4) {
                    bytes.removeSubrange(place...)
                } else {
                    bytes.insert(contentsOf: pick(words).utf8, at: place)
                }
            }
        }
        return bytes
    }
}
