import Glibc
import Subjects

// For Benchmarks/instructions, which counts what this does between a line in and a line out.
// `list` names the subjects; `N NAME` does one of them so many times.

func say(_ text: String) {
    print(text)
    fflush(nil)
}

while let line = readLine() {
    let words = line.split(separator: " ", maxSplits: 1)
    if line == "list" {
        for subject in subjects { say(subject.name) }
        say("end")
    } else if words.count == 2, let times = Int(words[0]), let subject = subjects.first(where: { $0.name == words[1] })
    {
        say("done \(subject.run(times))")
    } else {
        say("what?")
    }
}
