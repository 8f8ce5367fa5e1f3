package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"iter"
	"net/url"
	"slices"
	"time"

	"rollcall/internal/ledger"
)

// rowList are credentials with all that is known of each, made one by one.
type rowList struct {
	State *ledger.State
	Of    iter.Seq[*ledger.CredentialState]
	Pages *pages // nil where all are in one file
}

// Rows are those of the list.
func (l rowList) Rows() iter.Seq[row] {
	return func(yield func(row) bool) {
		for c := range l.Of {
			r := newRow(c)
			r.Used = SignsOf(c, zoneOf(l.State))
			if !yield(r) {
				return
			}
		}
	}
}

// WaveOf is the name of a wave.
func (l rowList) WaveOf(n int) string { return WaveName(n, l.State.Waves) }

// pages say which credentials a file shows, and where the others are.
type pages struct {
	From, To, Of, Each  int
	First, Before, Next string // files; empty for none
	All                 []pageRef
}

type pageRef struct {
	Ref     string
	Begins  string // the name of its first credential
	NotDead int
}

// perFile is how many credentials a file shows, and mostListed how many another
// list of a report in several files: a browser opens a few megabytes at once,
// and takes minutes for what 100,000 credentials have to show.
const perFile, mostListed = 1000, 500

// FilesOf names the files of a report: the first, and in a folder beside it the
// second, third and so on. Run is in the names of these, so that none leads to
// a page of another report.
type FilesOf struct{ First, Folder, Run string }

// Name is that of a file, beginning with 1; a path from where First lies.
func (f FilesOf) Name(n int) string {
	if n == 1 {
		return f.First
	}
	return f.Folder + "/" + f.page(n)
}

func (f FilesOf) page(n int) string { return fmt.Sprintf("%04d-%s.html", n, f.Run) }

// ref is how one file links to another.
func (f FilesOf) ref(from, to int) string {
	switch {
	case from == 1 && to == 1:
		return "#credentials"
	case from == 1: // what stands before a colon would be taken for a scheme
		return "./" + url.PathEscape(f.Folder) + "/" + f.page(to)
	case to == 1:
		return "../" + url.PathEscape(f.First)
	}
	return f.page(to)
}

// FileCount is how many files HTMLFiles writes.
func FileCount(s *ledger.State) int { return max(1, (s.Len()+perFile-1)/perFile) }

// HTMLFiles is HTML in as many files as keep each of them quick to open, and
// says how many that are: all in one up to a thousand credentials. The first
// has the summary, what is open, the findings, and the first credentials. Each
// file stands for itself, as HTML says, and links to the others by their names.
// create opens the file of a number, beginning with 1.
func HTMLFiles(s *ledger.State, v Verification, made time.Time, files FilesOf, create func(n int) (io.WriteCloser, error)) (int, error) {
	n := FileCount(s)
	if n == 1 {
		return 1, into(create, 1, func(w io.Writer) error { return HTML(w, s, v, made) })
	}
	v.At = v.At.In(zoneOf(s))
	d := newPage(s, v, made.In(zoneOf(s)))
	d.cut()
	all := indexOf(s)
	next, stop := iter.Pull(s.All())
	defer stop()
	for at := 1; at <= n; at++ {
		var some []*ledger.CredentialState
		for len(some) < perFile {
			c, more := next()
			if !more {
				break
			}
			some = append(some, c)
		}
		from := (at - 1) * perFile
		p := pages{From: from + 1, To: from + len(some), Of: s.Len(), Each: min(perFile, s.Len()-from-len(some))}
		name := "report"
		if at == 1 {
			p.All = slices.Clone(all)
			for i := range p.All {
				p.All[i].Ref = files.ref(1, i+1)
			}
		} else {
			name, p.First = "sheet", files.ref(at, 1)
		}
		if at > 2 {
			p.Before = files.ref(at, at-1)
		}
		if at < n {
			p.Next = files.ref(at, at+1)
		}
		d.List = rowList{State: s, Of: slices.Values(some), Pages: &p}
		if err := into(create, at, func(w io.Writer) error { return page.ExecuteTemplate(w, name, d) }); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// cut shortens the lists that may be as long as the roll.
func (d *pageData) cut() {
	for _, cards := range [][]card{d.Open, d.Findings} {
		for i := range cards {
			c := &cards[i]
			n := min(len(c.Rest), mostListed)
			c.More, c.Rest = len(c.Rest)-n, c.Rest[:n]
		}
	}
	d.HandOver = d.HandOver[:min(len(d.HandOver), mostListed)]
	d.Excluded = d.Excluded[:min(len(d.Excluded), mostListed)]
}

// indexOf says of each file with which credential it begins.
func indexOf(s *ledger.State) (all []pageRef) {
	i := 0
	for c := range s.All() {
		if i%perFile == 0 {
			all = append(all, pageRef{Begins: cmp.Or(c.Name, c.ID)})
		}
		if c.Outcome != ledger.Dead {
			all[len(all)-1].NotDead++
		}
		i++
	}
	return all
}

func into(create func(int) (io.WriteCloser, error), n int, write func(io.Writer) error) error {
	f, err := create(n)
	if err != nil {
		return err
	}
	whole := bufio.NewWriterSize(f, 1<<16)
	if err = write(whole); err == nil {
		err = whole.Flush()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("write the HTML report: %w", err)
	}
	return nil
}
