package engine

import (
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/gatehouse"
)

// mostQuoted bounds, in characters, what a state repeats of the engine's log.
const mostQuoted = 300

// remedies say what to do about the words of an error or of the engine's log. First match wins. DIR is the deployment's folder,
// PROGRAM the engine's program.
var remedies = []struct{ words, remedy string }{
	{errOtherGatehouse.Error(), "another gatehouse serve runs on this data directory; stop one of them"},
	{"cannot acquire lock on file", "another process uses the data in DIR; end that process, and Gatehouse starts its own"},
	{"address already in use", "another program took the port meanwhile; Gatehouse picks another one"},
	{"no space left on device", "the disk of DIR is full; free some space"},
	{"disk quota exceeded", "the disk quota for DIR is used up; raise it or free some space"},
	{"read-only file system", "DIR lies on a read-only file system; make it writable, or use another --data-dir"},
	{"not a directory", "something that is not a folder is in the way of DIR; move it away"},
	{"exec format error", "PROGRAM is not a program for this machine (" + runtime.GOOS + "/" + runtime.GOARCH + "); put the right one there"},
	{"exec PROGRAM: permission denied", "PROGRAM is not marked as executable; do that with: chmod +x PROGRAM"},
	{"permission denied", "Gatehouse's user may not write everything in DIR; make it the owner of that folder and all in it"},
	{"operation not permitted", "Gatehouse's user may not write everything in DIR; make it the owner of that folder and all in it"},
	{"flag provided but not defined", "PROGRAM does not know a setting that Gatehouse needs; use VictoriaMetrics " + pinned + " or newer"},
	{"cannot allocate memory", "the machine has no memory left; give it more, or run fewer programs on it"},
	{"out of memory", "the machine has no memory left; give it more, or run fewer programs on it"},
	{"too many open files", "the limit of open files is too low; raise it (ulimit -n) for gatehouse"},
	{"signal: killed", "something killed it, often the system for lack of memory; Gatehouse starts it again"},
	{"signal: ", "Gatehouse starts it again"},
	{"exit status 0", "something outside Gatehouse asked it to end; Gatehouse starts it again"},
	{"FATAL: ", "its data in DIR may be damaged; put back a backup, or move away the file that is named. Gatehouse has deleted nothing"},
}

// explain makes the one sentence that users see of a failed program: what happened, what to do, and the words it comes from.
func explain(what, words string, f files, program string) *gatehouse.Error {
	fill := strings.NewReplacer("DIR", filepath.Dir(string(f)), "PROGRAM", program)
	remedy := "Gatehouse tries again; " + f.log() + " may tell more"
	for _, r := range remedies {
		if strings.Contains(words, fill.Replace(r.words)) {
			remedy = fill.Replace(r.remedy)
			break
		}
	}
	return gatehouse.Errorf(gatehouse.Unavailable, "%s: %s (%s)", what, remedy, cut(words))
}

// whyEnded explains the end of an engine that nobody here asked to end.
func (p *process) whyEnded(ready bool) *gatehouse.Error {
	what := string(p.name) + " does not start"
	if ready {
		what = string(p.name) + " has ended"
	}
	return explain(what, p.lastWords(), p.files, p.program)
}

// lastWords is how a process has ended, and what it said last.
func (p *process) lastWords() string {
	words := "exit status 0"
	if p.err != nil {
		words = p.err.Error()
	}
	if line := lastWords(readFrom(p.files.log(), p.logStart)); line != "" {
		words += ": " + line
	}
	return words
}

// lastWords picks the line of a log that says why the engine ended: its last fatal message, or else the first line that is not in
// VictoriaMetrics' log format, such as the complaint about a flag, or a crash of the Go runtime.
func lastWords(log string) string {
	fatal, foreign := "", ""
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		// time, level, place in the source, message
		f := strings.SplitN(line, "\t", 4)
		switch {
		case len(f) == 4 && (f[1] == "fatal" || f[1] == "panic"):
			fatal = f[3]
		case len(f) < 4 && foreign == "":
			foreign = line
		}
	}
	if fatal != "" {
		return fatal
	}
	return foreign
}

func cut(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if utf8.RuneCountInString(s) <= mostQuoted {
		return s
	}
	return string([]rune(s)[:mostQuoted]) + "…"
}
