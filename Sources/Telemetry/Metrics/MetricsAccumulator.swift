public import Metrics
internal import Support

/// A backend of swift-metrics that adds up what happens until somebody takes it.
///
/// A timer or recorder is a histogram, in seconds or in the metric's own unit; a recorder that does not aggregate and a
/// meter are gauges. A gauge whose name ends in `_timestamp_seconds` is kept as the latest of all workers.
public final class MetricsAccumulator: MetricsFactory {
    struct Key: Hashable, Sendable {
        var name: String
        var labels: String
    }

    private struct Histogram {
        var counts = [Double](repeating: 0, count: MetricsAccumulator.upperBounds.count + 1)
        var sum = 0.0
    }

    private struct State {
        var counters: [Key: Double] = [:]
        var histograms: [Key: Histogram] = [:]
        var gauges: [Key: Double] = [:]
    }

    /// Upper bounds of the buckets: from a quick answer to the longest fetch of notes, in seconds.
    public static let upperBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]

    private let state = Mutex(State())

    public init() {}

    /// What was counted since the last time, and the gauges as they are.
    public func take() -> [MetricSample] {
        let (counters, histograms, gauges) = state.withLock { state in
            defer {
                state.counters = [:]
                state.histograms = [:]
            }
            return (state.counters, state.histograms, state.gauges)
        }
        var samples = counters.map { key, value in
            MetricSample(name: key.name, labels: key.labels, part: .counter, value: value)
        }
        for (key, histogram) in histograms {
            for (bound, count) in zip(Self.upperBounds + [.infinity], histogram.counts) {
                let part = MetricSample.Part.bucket(upperBound: bound)
                samples.append(MetricSample(name: key.name, labels: key.labels, part: part, value: count))
            }
            samples.append(MetricSample(name: key.name, labels: key.labels, part: .sum, value: histogram.sum))
        }
        samples += gauges.map { key, value in
            let part: MetricSample.Part = key.name.hasSuffix("_timestamp_seconds") ? .latest : .gauge
            return MetricSample(name: key.name, labels: key.labels, part: part, value: value)
        }
        return samples
    }

    /// Adds again what was taken and could not be kept.
    public func putBack(_ samples: [MetricSample]) {
        state.withLock { state in
            for sample in samples {
                let key = Key(name: sample.name, labels: sample.labels)
                switch sample.part {
                case .counter: state.counters[key, default: 0] += sample.value
                case .sum: state.histograms[key, default: Histogram()].sum += sample.value
                case .bucket(let upperBound):
                    let index = Self.upperBounds.firstIndex(of: upperBound) ?? Self.upperBounds.count
                    state.histograms[key, default: Histogram()].counts[index] += sample.value
                case .gauge, .latest: break
                }
            }
        }
    }

    func count(_ key: Key, _ amount: Double) {
        state.withLock { $0.counters[key, default: 0] += amount }
    }

    func observe(_ key: Key, _ value: Double) {
        let index = Self.upperBounds.firstIndex { value <= $0 } ?? Self.upperBounds.count
        state.withLock { state in
            state.histograms[key, default: Histogram()].counts[index] += 1
            state.histograms[key, default: Histogram()].sum += value
        }
    }

    func set(_ key: Key, _ value: Double) {
        state.withLock { $0.gauges[key] = value }
    }

    func change(_ key: Key, by amount: Double) {
        state.withLock { $0.gauges[key, default: 0] += amount }
    }
}

extension MetricsAccumulator {
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        instrument(label, dimensions)
    }

    public func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        instrument(label, dimensions)
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        instrument(label, dimensions)
    }

    public func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        instrument(label, dimensions, isGauge: !aggregate)
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        instrument(label, dimensions)
    }

    // What was counted stays counted, whoever lets go of the instrument.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func instrument(
        _ label: String,
        _ dimensions: [(String, String)],
        isGauge: Bool = true
    ) -> AccumulatingInstrument {
        let key = Key(name: label, labels: MetricSample.labels(dimensions))
        return AccumulatingInstrument(accumulator: self, key: key, isGauge: isGauge)
    }
}
