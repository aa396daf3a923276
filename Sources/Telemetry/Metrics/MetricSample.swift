/// One number of a metric: what a row of the table of metrics holds.
public struct MetricSample: Hashable, Sendable {
    /// What the number is of its metric.
    public enum Part: Hashable, Sendable {
        /// A count that only grows, over all workers.
        case counter
        /// A state of one worker.
        case gauge
        /// The largest value any worker has had, such as a time.
        case latest
        /// The sum of what a histogram has seen.
        case sum
        /// How much fell into the bucket with this upper bound and not into a lower one.
        case bucket(upperBound: Double)

        /// Whether it is a state, which is the same again while nothing changes, and no count.
        public var isGauge: Bool { self == .gauge || self == .latest }

        /// The part as it is stored.
        public var text: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .latest: "latest"
            case .sum: "sum"
            case .bucket(let upperBound): "\(upperBound)"
            }
        }

        /// Reads ``text``; nil if it is none.
        public init?(text: String) {
            switch text {
            case "counter": self = .counter
            case "gauge": self = .gauge
            case "latest": self = .latest
            case "sum": self = .sum
            default:
                guard let upperBound = Double(text) else { return nil }
                self = .bucket(upperBound: upperBound)
            }
        }
    }

    /// The metric's name; of a histogram without a suffix.
    public var name: String
    /// What stands between the braces in Prometheus' text, sorted by name; may be empty.
    public var labels: String
    public var part: Part
    public var value: Double

    public init(name: String, labels: String, part: Part, value: Double) {
        self.name = name
        self.labels = labels
        self.part = part
        self.value = value
    }

    /// Labels as they stand between the braces.
    ///
    /// Source: "Exposition formats", Prometheus documentation.
    public static func labels(_ dimensions: [(String, String)]) -> String {
        dimensions.sorted { $0.0 < $1.0 }.map { name, value in
            "\(name)=\"\(value.utf8.contains(where: mustBeEscaped) ? escaped(value) : value)\""
        }.joined(separator: ",")
    }

    private static func mustBeEscaped(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\n")
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
