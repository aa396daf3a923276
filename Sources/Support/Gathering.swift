/// Lets other tasks go first for as long as they bring something: what is about to come can then be handled together
/// with what is there.
///
/// Costs some turns of the other tasks, of microseconds each, when nothing comes; there is no timer.
///
/// - Parameter count: how much there is by now.
package func gather(isolation: isolated (any Actor)? = #isolation, _ count: () -> Int) async {
    var before = 0
    var turnsInVain = 0
    while case let now = count(), now > 0, turnsInVain < 4 {
        turnsInVain = now > before ? 0 : turnsInVain + 1
        before = now
        await Task.yield()
    }
}
