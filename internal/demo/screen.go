package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// screen writes the story: numbered steps, in plain lines in a pipe, with
// some colour on a terminal.
type screen struct {
	w        io.Writer
	terminal bool
	width    int
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: w, width: 100}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.terminal = true
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 40 {
			s.width = min(width, 100)
		}
	}
	return s
}

// step is one part of the story. do returns what came of it.
type step struct {
	title, why string
	do         func(context.Context) (string, error)
}

// tell announces a step, does it, and says what came of it. unexpected grows
// while a step goes not as it should.
func (s *screen) tell(ctx context.Context, number int, st step, unexpected *[]string) error {
	s.say("\n%s  %s", s.bold(fmt.Sprintf("%2d", number)), s.bold(st.title))
	s.say("%s", s.dim(wrap(st.why, 4, s.width)))
	began, before := time.Now(), len(*unexpected)
	said, err := st.do(ctx)
	took := fmt.Sprintf("%.1f s", time.Since(began).Seconds())
	if err != nil {
		return err
	}
	mark := s.paint("32", "✓")
	if len(*unexpected) > before {
		mark = s.paint("31", "✗")
	}
	s.say("    %s %s  %s", mark, strings.TrimLeft(wrap(said, 6, s.width-len(took)-2), " "), s.dim(took))
	for _, u := range (*unexpected)[before:] {
		s.say("%s", s.paint("31", wrap(u, 6, s.width)))
	}
	return nil
}

// count counts the seconds on a terminal, where nothing else moves, until the
// function that it returns is called.
func (s *screen) count() (stop func()) {
	if !s.terminal {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-tick.C:
				fmt.Fprintf(s.w, "\r    %s", s.dim(fmt.Sprintf("%d s", n)))
			case <-done:
				fmt.Fprint(s.w, "\r\x1b[K") // EL, ECMA-48, 8.3.41
				return
			}
		}
	}()
	return func() {
		close(done)
		<-gone
	}
}

func (s *screen) say(format string, args ...any) { fmt.Fprintf(s.w, format+"\n", args...) }

// The codes are ANSI SGR (ECMA-48, 8.3.117).
func (s *screen) bold(text string) string { return s.paint("1", text) }
func (s *screen) dim(text string) string  { return s.paint("2", text) }

func (s *screen) paint(code, text string) string {
	if !s.terminal {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// nbsp holds two words together in wrap, which writes it as a space.
const nbsp = "\u00a0"

// wrap breaks text between words to fit width, every line indented.
func wrap(text string, indent, width int) string {
	in := strings.Repeat(" ", indent)
	var b strings.Builder
	column := 0
	for i, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\n' }) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
			b.WriteString(in)
			column = indent
		case column+1+n > width:
			b.WriteString("\n" + in)
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(strings.ReplaceAll(word, nbsp, " "))
		column += n
	}
	return b.String()
}
