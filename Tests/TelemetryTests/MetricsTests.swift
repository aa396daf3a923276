import Metrics
import Telemetry
import Testing

@Suite("Metrics that add up")
struct MetricsTests {
    private func samples(_ samples: [MetricSample], _ name: String) -> [MetricSample] {
        samples.filter { $0.name == name && $0.value != 0 }
    }

    @Test func countsAreTakenOnceAndPutBack() {
        let accumulator = MetricsAccumulator()
        let counter = Counter(label: "sync_x_total", dimensions: [("b", "2"), ("a", "1")], factory: accumulator)
        counter.increment(by: 2)
        counter.increment()
        let taken = accumulator.take()
        #expect(taken == [MetricSample(name: "sync_x_total", labels: #"a="1",b="2""#, part: .counter, value: 3)])
        #expect(accumulator.take().isEmpty)
        counter.increment()
        accumulator.putBack(taken)
        #expect(accumulator.take().map(\.value) == [4])
    }

    @Test func timersAreHistogramsInSeconds() {
        let accumulator = MetricsAccumulator()
        let timer = Timer(label: "sync_y_seconds", factory: accumulator)
        timer.recordNanoseconds(Int64(5_000_000))
        timer.recordNanoseconds(Int64(700_000_000))
        timer.recordSeconds(4000)
        let taken = accumulator.take()
        let parts = Dictionary(uniqueKeysWithValues: samples(taken, "sync_y_seconds").map { ($0.part, $0.value) })
        #expect(parts[.bucket(upperBound: 0.005)] == 1)
        #expect(parts[.bucket(upperBound: 1)] == 1)
        #expect(parts[.bucket(upperBound: .infinity)] == 1)
        #expect(abs((parts[.sum] ?? 0) - 4000.705) < 1e-9)
        accumulator.putBack(taken)
        timer.recordNanoseconds(Int64(1))
        let again = accumulator.take()
        #expect(samples(again, "sync_y_seconds").filter { $0.part != .sum }.reduce(0) { $0 + $1.value } == 4)
    }

    @Test func gaugesStay() {
        let accumulator = MetricsAccumulator()
        Gauge(label: "sync_z", factory: accumulator).record(7)
        Gauge(label: "sync_last_timestamp_seconds", factory: accumulator).record(9)
        #expect(Set(accumulator.take().map(\.part)) == [.gauge, .latest])
        #expect(accumulator.take().count == 2)
    }

    @Test func partsAreReadAsTheyWereWritten() {
        let bounds = (MetricsAccumulator.upperBounds + [.infinity]).map { MetricSample.Part.bucket(upperBound: $0) }
        for part in bounds + [.counter, .gauge, .latest, .sum] {
            #expect(MetricSample.Part(text: part.text) == part)
        }
        #expect(MetricSample.Part(text: "new") == nil)
    }

    @Test func text() {
        let name = "sync_job_run_seconds"
        let labels = MetricSample.labels([("outcome", "a\"b\\c\nd")])
        let samples = [
            MetricSample(name: name, labels: labels, part: .bucket(upperBound: 1), value: 2),
            MetricSample(name: name, labels: labels, part: .bucket(upperBound: 0.5), value: 1),
            MetricSample(name: name, labels: labels, part: .bucket(upperBound: .infinity), value: 1),
            MetricSample(name: name, labels: labels, part: .sum, value: 7.25),
            MetricSample(name: "sync_job_crashes_total", labels: "", part: .counter, value: 3),
            MetricSample(name: "sync_unheard_of", labels: "", part: .counter, value: 3),
        ]
        let text = PrometheusText.text(of: samples, MetricDescription.ofWorkers, .prometheus)
        #expect(
            text == #"""
                # HELP sync_job_crashes_total Times a worker died with a job.
                # TYPE sync_job_crashes_total counter
                sync_job_crashes_total 3
                # HELP sync_job_run_seconds Time a worker ran a job, by how the run ended; its count says how many jobs completed, failed and so on.
                # TYPE sync_job_run_seconds histogram
                sync_job_run_seconds_bucket{outcome="a\"b\\c\nd",le="0.5"} 1
                sync_job_run_seconds_bucket{outcome="a\"b\\c\nd",le="1.0"} 3
                sync_job_run_seconds_bucket{outcome="a\"b\\c\nd",le="+Inf"} 4
                sync_job_run_seconds_sum{outcome="a\"b\\c\nd"} 7.25
                sync_job_run_seconds_count{outcome="a\"b\\c\nd"} 4

                """#
        )
    }
}
