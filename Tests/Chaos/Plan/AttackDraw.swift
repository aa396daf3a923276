/// Draws attacks, each kind as often as its weight says.
enum AttackDraw {
    private typealias Draw = @Sendable (inout SplitMix64) -> Attack

    static func attack(by attackers: Plan.Attackers, using random: inout SplitMix64) -> Attack {
        let weights =
            switch attackers {
            case .people: byPeople
            case .routers: byRouters
            case .all: byAnyone + byRouters + byPeople
            }
        let total = weights.reduce(0) { $0 + $1.weight }
        var left = random.number(1...total)
        for (weight, draw) in weights {
            left -= weight
            if left <= 0 { return draw(&random) }
        }
        return .forgetSessions
    }

    private static let byAnyone: [(weight: Int, draw: Draw)] = [
        (9, { .kill(worker: any(&$0), downMilliseconds: $0.number(100...1500)) }),
        // A lease is 3 s, and who rescues looks every 1.5 s.
        (6, { .pause(worker: any(&$0), milliseconds: $0.number(3200...5500)) }),
        (2, { .pause(worker: any(&$0), milliseconds: $0.number(200...2500)) }),
        (5, { .stop(worker: any(&$0), downMilliseconds: $0.number(50...800)) }),
        (4, { .terminateBackends(worker: any(&$0)) }),
        (4, { .terminateOneBackend(choice: any(&$0)) }),
        (4, { .restartDatabase(downMilliseconds: $0.number(0...800)) }),
        (8, { .cut(wire: wire(&$0), worker: any(&$0)) }),
        (3, { .refuse(wire: wire(&$0), worker: any(&$0), for: $0.number(200...1500)) }),
        (
            5,
            { .delay(wire: wire(&$0), worker: any(&$0), milliseconds: $0.number(50...700), for: $0.number(500...2500)) }
        ),
        (8, { .hold(wire: wire(&$0), worker: any(&$0), for: $0.number(500...4500), thenReset: $0.chance(0.5)) }),
        (3, { .readOnly(for: $0.number(100...2500), terminates: $0.chance(0.5)) }),
        (3, { .limitStatements(milliseconds: $0.number(20...200), for: $0.number(500...2500)) }),
        (3, { .cancelStatements(worker: any(&$0), for: $0.number(200...1500)) }),
        (18, { .faults(rules: PeerFault.draw(&$0), for: $0.number(400...1800)) }),
        (2, { _ in .forgetSessions }),
        (2, { .unshare(user: any(&$0), for: $0.number(300...1500)) }),
        (2, { .revoke(user: any(&$0), for: $0.number(300...1500)) }),
        (2, { .trashPage(choice: any(&$0)) }),
        (3, { .removePage(choice: any(&$0), asBlock: $0.chance(0.5)) }),
    ]

    /// What new connections are not affected by.
    private static let byRouters: [(weight: Int, draw: Draw)] = [
        // Longer than a lease.
        (
            6,
            {
                .silence(
                    wire: $0.chance(0.8) ? .database : .writer,
                    worker: any(&$0),
                    for: $0.number(3500...5500),
                    thenReset: $0.chance(0.5)
                )
            }
        ),
        (6, { .loseClaim(worker: any(&$0), for: 2000) }),
    ]

    private static let byPeople: [(weight: Int, draw: Draw)] = [
        (5, { .cancelJob(choice: any(&$0)) }),
        (5, { .retryJob(choice: any(&$0)) }),
        (3, { .reinsertJob(choice: any(&$0)) }),
        (8, { .sql($0.pick(Attack.JobStatement.allCases), choice: any(&$0), for: $0.number(100...2500)) }),
        (4, { .refuseEnd(choice: any(&$0), for: $0.number(4500...6000)) }),
        (4, { .sql(.interrupt, choice: any(&$0), for: $0.number(500...2500)) }),
        (2, { .deleteState(user: any(&$0)) }),
        (2, { .deleteOneState(choice: any(&$0)) }),
        (1, { .moveDatabase(user: any(&$0)) }),
    ]

    private static func any(_ random: inout SplitMix64) -> Int { random.number(0...1_000_000) }

    /// The writer's is the one where most can go wrong.
    private static func wire(_ random: inout SplitMix64) -> Attack.Wire {
        random.pick([.database, .database, .extractor, .writer, .writer, .writer])
    }
}
