internal import Metrics

/// What a counter, timer, recorder or meter hands its values to.
final class AccumulatingInstrument: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler,
    TimerHandler
{
    private let accumulator: MetricsAccumulator
    private let key: MetricsAccumulator.Key
    /// Of a recorder: whether it keeps the last value only.
    private let isGauge: Bool

    init(accumulator: MetricsAccumulator, key: MetricsAccumulator.Key, isGauge: Bool) {
        self.accumulator = accumulator
        self.key = key
        self.isGauge = isGauge
    }

    func increment(by amount: Int64) { accumulator.count(key, Double(amount)) }

    /// Of a floating-point counter, and of a meter.
    func increment(by amount: Double) {
        if key.name.hasSuffix("_total") { accumulator.count(key, amount) } else { accumulator.change(key, by: amount) }
    }

    func decrement(by amount: Double) { accumulator.change(key, by: -amount) }

    func set(_ value: Int64) { accumulator.set(key, Double(value)) }

    func set(_ value: Double) { accumulator.set(key, value) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        if isGauge { accumulator.set(key, value) } else { accumulator.observe(key, value) }
    }

    func recordNanoseconds(_ duration: Int64) { accumulator.observe(key, Double(duration) / 1e9) }

    /// A count that others read only grows.
    func reset() {}
}
