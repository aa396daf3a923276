import Foundation
import Support
import Testing

@Suite struct RandomUUIDTests {
    @Test func theyAreOfVersionFourAndDiffer() {
        let all = (0..<1000).map { _ in UUID.random() }
        #expect(Set(all).count == 1000)
        for uuid in all {
            let text = Array(uuid.uuidString)
            #expect(text[14] == "4" && "89AB".contains(text[19]), "\(uuid)")
        }
    }
}
