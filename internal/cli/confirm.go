package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rollcall/internal/report"
)

func (a *app) yesFlag(c *cobra.Command) {
	c.Flags().BoolVarP(&a.yes, "yes", "y", false, "do not ask; without a terminal nobody is asked")
}

// asks reports whether somebody is there who can be asked: a script is not, and
// whoever says --yes has answered.
func (a *app) asks() bool {
	f, isFile := a.In.(*os.File)
	return !a.yes && isFile && term.IsTerminal(int(f.Fd()))
}

// confirm shows what would be done, and has it said once more: word, typed.
// Anything else is no, which is an error that says that nothing was done.
func (a *app) confirm(ctx context.Context, what, word string) error {
	if !a.asks() {
		return nil
	}
	width, _ := terminal(a.Err)
	fmt.Fprint(a.Err, report.Wrap(report.Clean(what), "", width))
	fmt.Fprintf(a.Err, "type %s to go on, anything else to leave it: ", word)
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.In).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case said := <-typed:
		if said == word {
			return nil
		}
	case <-ctx.Done():
		fmt.Fprintln(a.Err)
	}
	return fmt.Errorf("%s was not typed; nothing was done", word)
}
