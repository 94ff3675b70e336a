package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/chunksign/chunksign/server/drive"
	engine "github.com/chunksign/chunksign/wasm/upload"
)

const (
	redrawEvery = 100 * time.Millisecond
	lineEvery   = 10 * time.Second // between lines of progress where there is no terminal
	barWidth    = 24
)

// display shows uploads as they go: bars that are drawn anew on a terminal, a
// line now and then elsewhere, nothing with -quiet and -json.
type display struct {
	u        *uploading
	names    []string
	jobs     []drive.Job
	terminal *os.File // nil for none
	silent   bool
	now      func() time.Time

	progress []engine.Progress // by job
	state    []shownState
	total    int64 // bytes of all jobs
	ended    int
	uploaded int
	said     string // the last line of progress where there is no terminal
	drawn    int    // lines on the terminal that the next drawing takes the place of
	at       time.Time
}

type shownState struct {
	begun, ended bool
	trouble      string // the code said last
}

func newDisplay(u *uploading, names []string, jobs []drive.Job) *display {
	d := &display{
		u: u, names: names, jobs: jobs, silent: u.quiet || u.json, now: time.Now, at: time.Now(),
		progress: make([]engine.Progress, len(jobs)), state: make([]shownState, len(jobs)),
	}
	if f, ok := u.stderr.(*os.File); ok && !d.silent {
		if _, _, ok := terminalSize(f); ok {
			d.terminal = f
		}
	}
	for i, j := range jobs {
		d.total += j.File.Size
		d.progress[i].Total = j.File.Size
		d.progress[i].Left = -1
	}
	return d
}

// Resumed implements drive.Watcher.
func (d *display) Resumed(job int, r engine.Record) {
	d.note(job, "goes on with the upload that was begun at "+r.Begun.Local().Format("2006-01-02 15:04"))
}

// Warned implements drive.Watcher.
func (d *display) Warned(job int, code, message string) {
	d.erase()
	prefix := ""
	if job >= 0 {
		prefix = d.names[job] + ": "
	}
	fmt.Fprintf(d.u.stderr, "%swarning: %s: %s\n", printable(prefix), printable(code), printable(message))
}

// Progress implements drive.Watcher.
func (d *display) Progress(job int, p engine.Progress) {
	d.progress[job] = p
	s := &d.state[job]
	s.begun = true
	if d.terminal == nil && s.trouble != p.Trouble.Code {
		if s.trouble = p.Trouble.Code; s.trouble != "" && p.State != engine.NeedsAuth {
			d.note(job, s.trouble+": "+p.Trouble.Message+"; it is tried again")
		}
	}
	d.draw(false)
}

// Ended implements drive.Watcher.
func (d *display) Ended(job int, r drive.Result) {
	d.state[job].ended = true
	d.ended++
	name := printable(d.names[job])
	d.erase()
	switch {
	case d.u.json:
		d.u.writeJSON(outcomeOf(d.names[job], d.jobs[job].File.Size, r))
	case r.Err == nil && !d.u.quiet:
		fmt.Fprintf(d.u.stdout, "%s: %s as %s\n", name, byteWords(d.jobs[job].File.Size), printable(r.Object.Key))
	case r.Err != nil && r.Err.Code != "stopped":
		fmt.Fprintf(d.u.stderr, "%s: %s\n", name, printable(failureWords(r)))
	}
	if r.Err == nil {
		d.uploaded++
		d.progress[job].Sent = d.progress[job].Total
	}
	d.draw(true)
}

// failureWords are why an upload ended and what to do.
func failureWords(r drive.Result) string {
	e := r.Err
	words := e.Code + ": " + e.Message
	if e.Part > 0 {
		words += fmt.Sprintf(" (part %d)", e.Part)
	}
	if e.RequestID != "" {
		words += ", request " + e.RequestID
	}
	switch {
	case e.Code == "different_file":
		words += "; -no-resume uploads this one, -discard gives the unfinished upload up"
	case r.Kept && (e.Code == "destination_changed" || e.Code == "destination_unknown" || e.Code == "grant_of_another"):
		words += "; -no-resume begins anew"
	case r.Kept && e.Code != "file_changed" && e.Code != "file_unreadable":
		words += "; the same command goes on with what the store has"
	}
	return words
}

// note is a line about a job that goes on.
func (d *display) note(job int, words string) {
	if d.u.quiet {
		return
	}
	d.erase()
	fmt.Fprintf(d.u.stderr, "%s: %s\n", printable(d.names[job]), printable(words))
}

// close leaves nothing on the terminal that looks as if it went on.
func (d *display) close() { d.erase() }

func (d *display) erase() {
	if d.drawn > 0 {
		fmt.Fprintf(d.terminal, "\x1b[%dA\x1b[J", d.drawn)
		d.drawn = 0
	}
}

// draw brings what is shown up to date, where that is due.
func (d *display) draw(now bool) {
	if d.silent || d.ended == len(d.jobs) {
		return
	}
	t := d.now()
	if d.terminal == nil {
		if t.Sub(d.at) >= lineEvery {
			d.at = t
			if sum := d.sum(); sum != d.said { // else nothing moves, and why has been said
				fmt.Fprintln(d.u.stderr, sum)
				d.said = sum
			}
		}
		return
	}
	if !now && t.Sub(d.at) < redrawEvery {
		return
	}
	d.at = t
	width, height, _ := terminalSize(d.terminal)
	var lines []string
	more := 0
	for i := range d.jobs {
		if !d.state[i].begun || d.state[i].ended {
			continue
		}
		if len(lines) >= max(1, height-3) {
			more++
			continue
		}
		lines = append(lines, line(filepath.Base(d.names[i]), d.progress[i], width, t))
	}
	if len(d.jobs) > 1 {
		sum := d.sum()
		if more > 0 {
			sum += fmt.Sprintf(" (%d files under way are not shown)", more)
		}
		lines = append(lines, sum)
	}
	d.erase()
	// No line wraps, whatever the width of its characters: the lines are counted.
	io.WriteString(d.terminal, "\x1b[?7l"+strings.Join(lines, "\n")+"\n\x1b[?7h")
	d.drawn = len(lines)
}

// sum is a line about all files.
func (d *display) sum() string {
	all := engine.Progress{State: engine.Uploading, Total: d.total, Left: -1}
	for i, p := range d.progress {
		all.Sent += p.Sent
		if !d.state[i].ended {
			all.Speed += p.Speed
		}
	}
	if all.Speed > 0 {
		all.Left = (all.Total - all.Sent) / all.Speed
	}
	return fmt.Sprintf("%d of %d files  %s", d.uploaded, len(d.jobs), pace(all))
}

// line is a file's line on the terminal.
func line(name string, p engine.Progress, width int, now time.Time) string {
	words := pace(p)
	switch {
	case p.Trouble.Code != "" && p.RetryAt.After(now):
		words = fmt.Sprintf("%s  %s; again in %s", percent(p), printable(p.Trouble.Code), timeWords(int64(math.Ceil(p.RetryAt.Sub(now).Seconds()))))
	case p.State != engine.Uploading:
		words = percent(p) + "  " + stateWords(p.State)
	}
	room := max(8, width-barWidth-3-56)
	return fmt.Sprintf("%s %s %s", fit(printable(name), room), bar(p.Sent, p.Total), words)
}

func pace(p engine.Progress) string {
	words := fmt.Sprintf("%s  %s of %s", percent(p), byteWords(p.Sent), byteWords(p.Total))
	if p.Speed > 0 {
		words += "  " + byteWords(p.Speed) + "/s"
		if p.Left >= 0 {
			words += "  " + timeWords(p.Left) + " left"
		}
	}
	return words
}

func stateWords(s engine.State) string {
	switch s {
	case engine.Queued:
		return "waits for its turn"
	case engine.Preparing:
		return "gets ready"
	case engine.Finishing:
		return "is put together"
	case engine.Cancelling:
		return "is removed"
	case engine.NeedsAuth:
		return "needs a sign-in"
	case engine.Done:
		return "done"
	}
	return ""
}

// percent says 100 only for all of it.
func percent(p engine.Progress) string {
	n := int64(100)
	if p.Sent < p.Total {
		n = min(99, int64(float64(p.Sent)/float64(p.Total)*100))
	}
	return fmt.Sprintf("%3d%%", n)
}

func bar(part, whole int64) string {
	n := barWidth
	if whole > 0 {
		n = int(float64(part) / float64(whole) * barWidth)
	}
	return "[" + strings.Repeat("#", n) + strings.Repeat("-", barWidth-n) + "]"
}

// fit makes a name n characters long; its end, which has the extension, stays.
func fit(name string, n int) string {
	runes := []rune(name)
	if len(runes) <= n {
		return name + strings.Repeat(" ", n-len(runes))
	}
	tail := n / 3
	return string(runes[:n-tail-1]) + "…" + string(runes[len(runes)-tail:])
}

// byteWords says a number of bytes in the units that the options are in.
func byteWords(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n)/(1<<10), 0
	for ; value >= 1023.95 && unit < len(units)-1; unit++ {
		value /= 1 << 10
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + " " + units[unit:unit+1] + "iB"
}

func timeWords(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d min", (seconds+30)/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%d h %d min", seconds/3600, seconds%3600/60)
	}
	return fmt.Sprintf("%d days", seconds/86400)
}

// printable takes the power over a terminal from a name or a message.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
