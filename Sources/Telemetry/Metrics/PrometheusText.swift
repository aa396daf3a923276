/// Metrics written in one of Prometheus' text formats.
///
/// Sources: "Exposition formats" (Prometheus documentation, text format 0.0.4); OpenMetrics 1.0.0.
public struct PrometheusText: Sendable {
    public enum Format: Sendable {
        case prometheus, openMetrics

        public var contentType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    private let format: Format
    private var text = ""

    public init(_ format: Format) {
        self.format = format
    }

    /// The whole text of the samples; those without a description are left out.
    public static func text(of samples: [MetricSample], _ descriptions: [MetricDescription], _ format: Format) -> String
    {
        let byName = Dictionary(grouping: samples, by: \.name)
        var writer = PrometheusText(format)
        for description in descriptions.sorted(by: { $0.name < $1.name }) {
            guard let samples = byName[description.name] else { continue }
            writer.write(description, samples)
        }
        if format == .openMetrics { writer.text += "# EOF\n" }
        return writer.text
    }

    private mutating func write(_ description: MetricDescription, _ samples: [MetricSample]) {
        // OpenMetrics names a family of counters without the suffix of its samples.
        let isBare = format == .openMetrics && description.name.hasSuffix("_total")
        let family = isBare ? String(description.name.dropLast("_total".count)) : description.name
        text += "# HELP \(family) \(description.help)\n# TYPE \(family) \(description.kind.rawValue)\n"
        for (labels, samples) in Dictionary(grouping: samples, by: \.labels).sorted(by: { $0.key < $1.key }) {
            switch description.kind {
            case .counter, .gauge:
                let value = samples.reduce(0) { $0 + $1.value }
                line(description.name, labels, value)
            case .histogram: histogram(description.name, labels, samples)
            }
        }
    }

    private mutating func histogram(_ name: String, _ labels: String, _ samples: [MetricSample]) {
        var counts: [(bound: Double, count: Double)] = []
        var sum = 0.0
        for sample in samples {
            switch sample.part {
            case .bucket(let upperBound): counts.append((upperBound, sample.value))
            case .sum: sum = sample.value
            case .counter, .gauge, .latest: break
            }
        }
        counts.sort { $0.bound < $1.bound }
        if counts.last?.bound != .infinity { counts.append((.infinity, 0)) }
        var total = 0.0
        for (bound, count) in counts {
            total += count
            let le = "le=\"\(bound == .infinity ? "+Inf" : "\(bound)")\""
            line(name + "_bucket", labels.isEmpty ? le : "\(labels),\(le)", total)
        }
        line(name + "_sum", labels, sum)
        line(name + "_count", labels, total)
    }

    private mutating func line(_ name: String, _ labels: String, _ value: Double) {
        let number = value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
        text += labels.isEmpty ? "\(name) \(number)\n" : "\(name){\(labels)} \(number)\n"
    }
}
