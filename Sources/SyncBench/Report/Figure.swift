/// A measured value beside its limit, both from the same run.
struct Figure: Codable, Sendable {
    /// What was measured in the same run on the same machine to compare with.
    struct Limit: Codable, Sendable {
        var name: String
        var value: Double
        /// One for each round.
        var samples: [Double]
    }

    /// What the ratio should be.
    struct Goal: Codable, Sendable {
        var atLeast: Double?
        var atMost: Double?

        static func atLeast(_ ratio: Double) -> Goal { Goal(atLeast: ratio) }
        static func atMost(_ ratio: Double) -> Goal { Goal(atMost: ratio) }

        func isReached(by ratio: Double) -> Bool {
            ratio >= (atLeast ?? -.infinity) && ratio <= (atMost ?? .infinity)
        }

        var text: String {
            if let atLeast { return "≥ \(format(atLeast))" }
            return atMost.map { "≤ \(format($0))" } ?? ""
        }
    }

    /// A further value of the same measurement.
    struct Detail: Codable, Sendable {
        var name: String
        var value: Double
        var unit: String
    }

    var name: String
    /// Median of the rounds.
    var value: Double
    var unit: String
    var samples: [Double]
    var limits: [Limit] = []
    /// For the ratio to the first limit.
    var goal: Goal?
    var details: [Detail] = []

    init(_ name: String, _ unit: String, samples: [Double], goal: Goal? = nil) {
        self.name = name
        self.unit = unit
        self.samples = samples
        value = samples.median
        self.goal = goal
    }

    /// The same with a limit more.
    func beside(_ name: String, _ samples: [Double]) -> Figure {
        var figure = self
        figure.limits.append(Limit(name: name, value: samples.median, samples: samples))
        return figure
    }

    /// The same with a detail more.
    func with(_ name: String, _ value: Double, _ unit: String) -> Figure {
        var figure = self
        figure.details.append(Detail(name: name, value: value, unit: unit))
        return figure
    }

    func ratio(to limit: Limit) -> Double { value / limit.value }

    /// Whether the goal is reached; nil if there is none.
    var isReached: Bool? {
        guard let goal, let limit = limits.first else { return nil }
        return goal.isReached(by: ratio(to: limit))
    }
}

extension [Double] {
    /// The middle value, or the mean of the two middle ones; NaN of nothing.
    var median: Double {
        guard !isEmpty else { return .nan }
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
