package follow

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/evidence/logfile"
)

// reader follows one file, as a row of processes.
type reader struct {
	t    require.TestingT
	path string
	f    *File
	now  time.Time
	got  []string
	lost []string
	warm []string
	last Line
}

func (r *reader) open(o Options) error {
	o.Take = func(l Line) {
		r.last = l
		text := string(l.Text)
		if l.TooLong {
			text = "TOO LONG"
		}
		if l.Before {
			r.warm = append(r.warm, text)
		} else {
			r.got = append(r.got, text)
		}
	}
	o.Lost = func(what string) { r.lost = append(r.lost, what) }
	o.Now = func() time.Time { return r.now }
	f, err := Open(r.path, o)
	r.f = f
	return err
}

func (r *reader) read() {
	for range 1000 {
		more, err := r.f.Read()
		require.NoError(r.t, err)
		if !more {
			return
		}
	}
	require.Fail(r.t, "it reads on for ever")
}

// again ends the process and begins another, with what was kept.
func (r *reader) again() {
	text, err := json.Marshal(r.f.Positions())
	require.NoError(r.t, err)
	r.f.Close()
	r.warm = nil
	var saved []Position
	require.NoError(r.t, json.Unmarshal(text, &saved))
	require.NoError(r.t, r.open(Options{Saved: saved, FromStart: true}))
}

func follows(t *testing.T, text string, o Options) *reader {
	r := &reader{t: t, path: filepath.Join(t.TempDir(), "slapd.log"), now: time.Now()}
	put(t, r.path, text)
	require.NoError(t, r.open(o))
	return r
}

func put(t require.TestingT, path, text string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func copied(t require.TestingT, from, to string) {
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o600))
}

func TestReadingBeginsAtTheEndAndGivesWholeLinesAlone(t *testing.T) {
	r := follows(t, "one\ntwo\nhal", Options{})
	r.read()
	require.Empty(t, r.got)
	require.Equal(t, []string{"one", "two"}, r.warm, "what later lines are joined with")
	put(t, r.path, "f\nfour")
	r.read()
	require.Equal(t, []string{"half"}, r.got)
	require.Equal(t, 3, r.last.Number)
	r.again()
	put(t, r.path, "\r\n")
	r.read()
	require.Equal(t, []string{"half", "four"}, r.got)
	require.Equal(t, 4, r.last.Number, "lines are counted on")

	r = follows(t, "one\ntwo\n", Options{FromStart: true})
	r.read()
	require.Equal(t, []string{"one", "two"}, r.got)
}

func TestAFileThatIsNotThereYetIsReadFromItsBeginning(t *testing.T) {
	r := &reader{t: t, path: filepath.Join(t.TempDir(), "slapd.log")}
	require.NoError(t, r.open(Options{}))
	r.read()
	require.False(t, r.f.There())
	put(t, r.path, "one\n")
	r.read()
	require.Equal(t, []string{"one"}, r.got)
}

func TestARenamedFileIsReadToItsEndAndTheNewOneFromItsBeginning(t *testing.T) {
	r := follows(t, "", Options{})
	old, err := os.OpenFile(r.path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer old.Close()
	_, _ = old.WriteString("one\n")
	r.read()
	_, _ = old.WriteString("two\n")
	require.NoError(t, os.Rename(r.path, r.path+".1"))
	_, _ = old.WriteString("three\n")
	r.read()
	put(t, r.path, "four\n")
	_, _ = old.WriteString("five\nsi") // its writer has it open still
	r.read()
	require.ElementsMatch(t, []string{"one", "two", "three", "four", "five"}, r.got)
	_, _ = old.WriteString("x\n")
	r.again()
	put(t, r.path, "seven\n")
	r.read()
	require.Equal(t, []string{"six", "seven"}, r.got[5:])
	_, _ = old.WriteString("without an end")
	r.read()
	r.now = r.now.Add(2 * time.Minute)
	r.read()
	require.Equal(t, "without an end", r.got[7], "nobody writes its end any more")
	require.Empty(t, r.lost)
	require.Len(t, r.f.Positions(), 1)
}

func TestTheRestOfATruncatedFileIsReadInItsCopy(t *testing.T) {
	r := follows(t, "", Options{})
	put(t, r.path, "one\n")
	r.read()
	put(t, r.path, "two\nthree\n")
	copied(t, r.path, r.path+".1")
	require.NoError(t, os.Truncate(r.path, 0))
	r.read()
	put(t, r.path, "four\n")
	r.read()
	require.Equal(t, []string{"one", "two", "three", "four"}, r.got)

	// More is written by the time that anybody looks: its first bytes tell.
	put(t, r.path, "five\n")
	copied(t, r.path, r.path+".2")
	require.NoError(t, os.Truncate(r.path, 0))
	put(t, r.path, "six, and so on, longer than what was there\n")
	r.read()
	require.Equal(t, []string{"five", "six, and so on, longer than what was there"}, r.got[4:])
	require.Empty(t, r.lost)

	// With no copy it is said, once.
	require.NoError(t, os.Truncate(r.path, 0))
	put(t, r.path, "seven\n")
	r.read()
	r.read()
	require.Equal(t, "seven", r.got[6])
	require.Len(t, r.lost, 1)
	require.Contains(t, r.lost[0], "behind its line 1 by then was not read")
}

func TestAWriterThatGoesOnAtItsOldPlaceLeavesNothingBeforeItsLine(t *testing.T) {
	r := follows(t, "", Options{})
	old, err := os.OpenFile(r.path, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer old.Close()
	_, _ = old.WriteString(strings.Repeat("x", 3<<20) + "\n")
	r.read()
	require.NoError(t, os.Truncate(r.path, 0))
	_, _ = old.WriteString("two\n") // behind 3 MiB of nothing
	r.read()
	require.Equal(t, []string{"TOO LONG", "two"}, r.got)
}

func TestWhatWasRotatedWhileNobodyReadIsReadAndWhatWasPackedIsSaid(t *testing.T) {
	for name, row := range map[string]struct {
		rotate func(path string)
		want   []string
		lost   int
	}{
		"renamed": {func(path string) {
			require.NoError(t, os.Rename(path, path+".1"))
			put(t, path, "three\n")
		}, []string{"two", "three"}, 0},
		"renamed twice": {func(path string) {
			require.NoError(t, os.Rename(path, path+".2"))
			require.NoError(t, os.Chtimes(path+".2", time.Now(), time.Now().Add(-time.Hour)))
			put(t, path+".1", "between\n")
			put(t, path, "three\n")
		}, []string{"two", "between", "three"}, 0},
		"dated": {func(path string) {
			require.NoError(t, os.Rename(path, filepath.Join(filepath.Dir(path), "slapd-20261130.log")))
			put(t, path, "three\n")
		}, []string{"two", "three"}, 0},
		"renamed, beside the log of another server": {func(path string) {
			require.NoError(t, os.Rename(path, path+".1"))
			require.NoError(t, os.Chtimes(path+".1", time.Now(), time.Now().Add(-time.Hour)))
			put(t, filepath.Join(filepath.Dir(path), "slapd-2.log"), "of another\n")
			put(t, path, "three\n")
		}, []string{"two", "three"}, 0},
		"copied, where the one before began alike": {func(path string) {
			put(t, path+".2", "one\nof before\n")
			require.NoError(t, os.Chtimes(path+".2", time.Now(), time.Now().Add(-time.Hour)))
			copied(t, path, path+".1")
			require.NoError(t, os.Truncate(path, 0))
			put(t, path, "three\n")
		}, []string{"two", "three"}, 0},
		"copied and truncated": {func(path string) {
			copied(t, path, path+".1")
			require.NoError(t, os.Truncate(path, 0))
			put(t, path, "three\n")
		}, []string{"two", "three"}, 0},
		"packed": {func(path string) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(text)
			require.NoError(t, z.Close())
			require.NoError(t, os.WriteFile(path+".1.gz", b.Bytes(), 0o600))
			require.NoError(t, os.Remove(path))
			put(t, path, "three\n")
		}, []string{"three"}, 1},
		"and something else of nearly that name": {func(path string) {
			put(t, path+".rotationinfo", "no log\n")
			put(t, path+".1.tmp", "no log\n")
			put(t, filepath.Join(filepath.Dir(path), "slapd.log.old"), "no log\n")
			put(t, path, "three\n")
		}, []string{"two", "three"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := follows(t, "one\n", Options{FromStart: true})
			r.read()
			saved := r.f.Positions()
			r.f.Close()
			r.got = nil
			put(t, r.path, "two\n")
			row.rotate(r.path)
			require.NoError(t, r.open(Options{Saved: saved}))
			r.read()
			require.Equal(t, row.want, r.got)
			require.Len(t, r.lost, row.lost)
		})
	}
}

func TestAFileThatCannotBeFollowedIsRefused(t *testing.T) {
	dir := t.TempDir()
	r := &reader{t: t, path: dir}
	require.ErrorContains(t, r.open(Options{}), "is no regular file: give a pipe as standard input (-)")
	r.path = filepath.Join(dir, "log.gz")
	put(t, r.path, "\x1f\x8b\x08 and so on")
	require.ErrorIs(t, r.open(Options{}), ErrPacked)
	require.ErrorIs(t, Plain(r.path), ErrPacked)
}

func TestALongLineIsSkippedInConstantMemoryAndReadAgainAfterARestart(t *testing.T) {
	r := follows(t, "", Options{})
	put(t, r.path, "one\n"+strings.Repeat("A", 10<<20))
	r.read()
	require.Equal(t, []string{"one"}, r.got)
	require.LessOrEqual(t, cap(r.f.live.text), 2*logfile.MaxLine)
	r.again()
	put(t, r.path, "B\nthree\n")
	r.read()
	require.Equal(t, []string{"one", "TOO LONG", "three"}, r.got)
	require.Equal(t, 3, r.last.Number)
}

func TestTheHeadOfAFileIsGivenWhereItIsNeeded(t *testing.T) {
	r := follows(t, "name;address\n"+strings.Repeat(strings.Repeat("x", 1023)+"\n", 20<<10), Options{Headed: func() bool { return true }})
	require.Equal(t, "name;address", r.warm[0])
	require.Less(t, len(r.warm), 18<<10)
	put(t, r.path, "last\n")
	r.read()
	require.Equal(t, []string{"last"}, r.got)
	require.Equal(t, 20<<10+2, r.last.Number)
}

// Whatever is written, rotated and restarted in which order: each line comes
// once, and those of one file in their order.
func TestEachLineComesOnceWhateverHappens(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n), "a.log")
		require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
		put(t, path, "") // one that comes and goes before anybody looks was never there
		r := &reader{t: t, path: path, now: time.Now()}
		require.NoError(t, r.open(Options{FromStart: true}))
		var want []string
		half := false
		rotations, unread := 0, 0
		// rotated has do make a rotated file, each a second behind the last.
		rotated := func(do func(to string)) {
			rotations++
			if unread++; unread == mostOld { // what comes faster than that is lost, and said
				r.read()
				unread = 0
			}
			to := fmt.Sprintf("%s.%d", path, rotations)
			do(to)
			at := r.now.Add(time.Duration(rotations) * time.Second)
			require.NoError(t, os.Chtimes(to, at, at))
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				text := fmt.Sprintf("line %d of %d", len(want), n)
				if !half {
					want = append(want, text)
				} else {
					text = " and its end"
					want[len(want)-1] += text
				}
				if half = rapid.Bool().Draw(t, "half"); !half {
					text += "\n"
				}
				put(t, path, text)
			},
			"rename": func(t *rapid.T) {
				if _, err := os.Stat(path); err != nil || half {
					return
				}
				rotated(func(to string) { require.NoError(t, os.Rename(path, to)) })
				put(t, path, "")
			},
			"copy and truncate": func(t *rapid.T) {
				if info, err := os.Stat(path); err != nil || half || info.Size() == 0 {
					return
				}
				if at := r.f.live; at == nil || at.end() == 0 {
					r.read() // a file of which nothing was read cannot be told from its copy
				}
				rotated(func(to string) { copied(t, path, to) })
				require.NoError(t, os.Truncate(path, 0))
			},
			"read":    func(*rapid.T) { r.read(); unread = 0 },
			"restart": func(*rapid.T) { r.read(); r.again(); unread = 0 },
		})
		r.read()
		if half {
			want = want[:len(want)-1]
		}
		require.Equal(t, strings.Join(want, "\n"), strings.Join(r.got, "\n"))
		require.Empty(t, r.lost)
		r.f.Close()
	})
}

// A file that was copied and truncated, and then renamed, lies between its copy
// and what was rotated away behind it.
func TestFilesThatWereRotatedInTwoWaysAreReadInTheOrderOfTheirLines(t *testing.T) {
	r := follows(t, "", Options{FromStart: true})
	rotations := 0
	rotated := func() string {
		rotations++
		return fmt.Sprintf("%s.%d", r.path, rotations)
	}
	copyAndTruncate := func() {
		to := rotated()
		copied(t, r.path, to)
		require.NoError(t, os.Chtimes(to, r.now, r.now.Add(time.Duration(rotations)*time.Second)))
		require.NoError(t, os.Truncate(r.path, 0))
	}
	put(t, r.path, "one\n")
	r.read()
	copyAndTruncate()
	put(t, r.path, "two\n")
	to := rotated()
	require.NoError(t, os.Rename(r.path, to))
	require.NoError(t, os.Chtimes(to, r.now, r.now.Add(time.Duration(rotations)*time.Second)))
	put(t, r.path, "three\n")
	copyAndTruncate()
	put(t, r.path, "four\n")
	r.read()
	require.Equal(t, []string{"one", "two", "three", "four"}, r.got)
	require.Empty(t, r.lost)
}

// A process that ends within a minute of a rotation leaves two files behind.
func TestAnOldFileIsReadOnAfterARestartWithWhatItsLinesAreJoinedWith(t *testing.T) {
	r := follows(t, "", Options{FromStart: true})
	put(t, r.path, "accept\n")
	r.read()
	require.NoError(t, os.Rename(r.path, r.path+".1"))
	put(t, r.path, "new\n")
	r.read()
	put(t, r.path+".1", "bind\n")
	r.again()
	require.Equal(t, []string{"accept", "new"}, r.warm)
	r.read()
	require.Equal(t, []string{"accept", "new", "bind"}, r.got)
	require.Empty(t, r.lost)
}

func TestAnOldFileThatWasPackedBeforeItWasReadIsSaid(t *testing.T) {
	for text, lost := range map[string]int{"": 0, "unread\n": 1} {
		r := follows(t, "", Options{FromStart: true})
		put(t, r.path, "read\n")
		r.read()
		require.NoError(t, os.Rename(r.path, r.path+".1"))
		put(t, r.path, "new\n")
		r.read()
		put(t, r.path+".1", text)
		kept := r.f.Positions()
		require.NoError(t, os.Remove(r.path+".1"))
		r.f.Close()
		require.NoError(t, r.open(Options{Saved: kept, FromStart: true}))
		require.Len(t, r.lost, lost, "%q", text)
	}
}
