package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"rollcall/internal/ledger"
	"rollcall/internal/plural"
	"rollcall/internal/report"
)

func (a *app) ledgerCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Verify, print and prove entries of a ledger; works offline",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.PersistentFlags().StringVar(&dir, "ledger", "", "folder of the campaign's ledger; default: the latest of the campaign file's device")
	c.AddCommand(a.ledgerVerify(&dir), a.ledgerCat(&dir), a.ledgerProve(&dir), a.ledgerVerifyProof(), a.ledgerKey(&dir), a.ledgerAnchor(&dir), a.ledgerServe(&dir))
	return c
}

func (a *app) ledgerVerify(dir *string) *cobra.Command {
	var out output
	var keyFile string
	var anchorFiles []string
	c := &cobra.Command{
		Use:   "verify [CAMPAIGN]",
		Short: "Check each entry, the order, the signature, and that all that was listed has an end",
		Long: `verify recomputes the ledger from its files. With --key, a public key that you
got from someone you trust, it also proves who wrote it. With --anchor, a
file with checkpoints kept elsewhere (rollcall ledger anchor prints all that Vault has), it finds a
ledger that was cut short or written anew: it must agree with each of them. It needs neither network
nor Vault.

Exit code 0 if nothing is wrong, 1 otherwise.`,
		Args: oneCampaign,
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			a.reads = true
			folder, err := a.readableLedger(cmd.Context(), *dir, args)
			if err != nil {
				return err
			}
			var key string
			if keyFile != "" {
				if key, err = ledger.ReadKeyFile(keyFile); err != nil {
					return err
				}
			}
			var anchored []byte
			for _, file := range anchorFiles {
				some, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				if len(bytes.TrimSpace(some)) == 0 {
					return fmt.Errorf("%s is empty: an anchor is a checkpoint, as `rollcall ledger anchor` prints it", file)
				}
				anchored = append(append(anchored, some...), '\n')
			}
			found, err := ledger.Verify(cmd.Context(), folder, key, anchored)
			if err != nil {
				return err
			}
			var profile string
			if p := found.Profile; p != nil {
				p.ThisBuild, profile = thisBuild(p.Name, p.Reviewed, p.SHA256)
			}
			if asJSON {
				err = printJSON(a.Out, found)
			} else {
				a.printVerified(found, profile, keyFile)
			}
			if err == nil && !found.OK() {
				err = &exit{code: exitError}
			}
			return err
		},
	}
	out.flag(c)
	c.Flags().StringVar(&keyFile, "key", "", "file with the public key (see rollcall ledger key)")
	c.Flags().StringArrayVar(&anchorFiles, "anchor", nil, "file with checkpoints that were kept elsewhere; may be given several times")
	return c
}

func (a *app) printVerified(r ledger.Report, profile, keyFile string) {
	verdict := "VERIFIED"
	if !r.OK() {
		verdict = "NOT VERIFIED"
	}
	what := "campaign " + r.Campaign
	if r.Device != "" {
		what = "what logs show of device " + report.Clean(r.Device)
	}
	a.result("%s: %s, %s, root %s", verdict, what, plural.Count(r.Size, "entry", "entries"), r.Root)
	if r.KeySource == ledger.KeyGiven {
		a.result("key: that of %s, from %s", report.Clean(ledger.KeyName(r.VerifierKey)), keyFile)
	} else {
		a.result("key: %s", r.KeySource)
	}
	how := "consistent"
	if !r.OK() {
		how = "compared" // what came of it is below
	}
	switch {
	case r.Anchored > 0 && r.Anchors > 1:
		a.result("anchor: %s with the checkpoints that were kept elsewhere, %d of them, the newest of %s", how, r.Anchors, plural.Count(r.Anchored, "entry", "entries"))
	case r.Anchored > 0:
		a.result("anchor: %s with the checkpoint of %s that was kept elsewhere", how, plural.Count(r.Anchored, "entry", "entries"))
	case r.Anchors > 0:
		a.result("anchor: what was given is of no use, see below")
	default:
		a.result("anchor: none given, so a ledger that was cut short cannot be told from a younger one")
	}
	if profile != "" {
		a.result("%s", profile)
	}
	for _, of := range r.Readings {
		what := "of logs as they are written, against the roll of " + report.Clean(of.Roll)
		if of.SHA256 != "" {
			what = "of the file with sha256 " + of.SHA256
		}
		if of.NeverEnded {
			what += ", begun at " + of.Began.UTC().Format(time.RFC3339) + " and never ended, so some of it may be missing (recording the same file again goes on with it)"
		}
		a.result("logs: reading %s %s: %s, %s of %s", of.ID, what, plural.Count(of.Logs, "log", "logs"), plural.Count(of.Signs, "sign", "signs"), plural.Count(of.Credentials, "credential", "credentials"))
	}
	for _, p := range r.Problems {
		a.result("problem: %s", problemText(p))
	}
	if r.More > 0 {
		a.result("and %s", report.Plural(r.More, "more problem", "more problems"))
	}
	if !r.Closed && r.Device == "" {
		a.result("the campaign has not ended: %s without an end", report.Plural(len(r.Open), "credential is", "credentials are"))
	}
}

func problemText(p ledger.Problem) string {
	s := p.What
	if p.Credential != "" {
		s = p.Credential + ": " + s
	}
	if p.Index >= 0 {
		s = fmt.Sprintf("entry %d: %s", p.Index, s)
	}
	return s
}

func (a *app) ledgerCat(dir *string) *cobra.Command {
	var jsonl bool
	var out output
	c := &cobra.Command{
		Use:   "cat [CAMPAIGN]",
		Short: "Print the entries, for people or as JSON lines",
		Args:  oneCampaign,
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			a.reads = true
			folder, err := a.readableLedger(cmd.Context(), *dir, args)
			if err != nil {
				return err
			}
			r, err := ledger.OpenReader(folder)
			if err != nil {
				return err
			}
			_, verified, err := readLedger(cmd.Context(), folder)
			if err != nil {
				return err
			}
			if asJSON && !jsonl {
				err = a.catJSON(cmd.Context(), r, verified.Problems)
				return cmp.Or(err, unproved(folder, verified))
			}
			err = r.Entries(cmd.Context(), 0, func(index uint64, e ledger.Entry) error {
				if jsonl {
					return ledger.WriteJSONL(a.Out, e)
				}
				return ledger.WriteText(a.Out, index, e)
			})
			return cmp.Or(err, unproved(folder, verified))
		},
	}
	out.flag(c)
	c.Flags().BoolVar(&jsonl, "jsonl", false, "one JSON object a line, as written")
	return c
}

// catJSON prints entries as one JSON object, an entry at a time: a ledger may
// be larger than memory.
func (a *app) catJSON(ctx context.Context, r *ledger.Reader, problems []string) error {
	head, err := json.Marshal(map[string]any{"campaign": r.Campaign(), "problems": append([]string{}, problems...)})
	if err != nil {
		return err
	}
	w := bufio.NewWriter(a.Out)
	fmt.Fprintf(w, "%s,\"entries\":[\n", head[:len(head)-1])
	first := true
	err = r.Entries(ctx, 0, func(_ uint64, e ledger.Entry) error {
		if !first {
			fmt.Fprint(w, ",")
		}
		first = false
		return ledger.WriteJSONL(w, e)
	})
	if err == nil { // what is cut off looks like that, and not like a ledger without problems
		fmt.Fprintln(w, "]}")
	}
	return cmp.Or(err, w.Flush())
}

func (a *app) ledgerProve(dir *string) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "prove INDEX",
		Short: "Prove that an entry is in the ledger, in the C2SP tlog-proof format",
		Args:  oneArgument("the number of an entry; `rollcall ledger cat` shows them"),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			index, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("%q is no index of an entry; rollcall ledger cat shows them", args[0])
			}
			a.reads = true
			folder, err := a.readableLedger(cmd.Context(), *dir, nil)
			if err != nil {
				return err
			}
			p, err := ledger.Prove(cmd.Context(), folder, index)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Out, map[string]any{"index": index, "proof": p.String()})
			}
			fmt.Fprint(a.Out, p)
			return nil
		},
	}
	out.flag(c)
	return c
}

func (a *app) ledgerKey(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "key [CAMPAIGN]",
		Short: "Print the ledger's public key as Vault has it, to hand to whoever verifies",
		Args:  oneCampaign,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.fromVault(cmd, *dir, args, func(s *session, r *ledger.Reader) error {
				key, err := s.store.VerifierKey(cmd.Context(), ledger.Origin(r.Campaign()))
				if err != nil {
					return err
				}
				fmt.Fprintln(a.Out, key)
				if key != r.VerifierKey() {
					return errors.New("the key beside the ledger is another one: the ledger was not written with this Vault's key")
				}
				return nil
			})
		},
	}
}

func (a *app) ledgerAnchor(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "anchor [CAMPAIGN]",
		Short: "Print the checkpoints that are kept in Vault, the newest first",
		Args:  oneCampaign,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.fromVault(cmd, *dir, args, func(s *session, r *ledger.Reader) error {
				checkpoints, err := s.store.Anchors(cmd.Context(), r.Campaign())
				if err != nil {
					return err
				}
				if len(checkpoints) == 0 {
					return fmt.Errorf("no checkpoint of campaign %s is in Vault: nothing was anchored, or it was deleted", r.Campaign())
				}
				_, err = a.Out.Write(checkpoints)
				return err
			})
		},
	}
}

func (a *app) fromVault(cmd *cobra.Command, dir string, args []string, do func(*session, *ledger.Reader) error) error {
	a.reads = true
	if _, err := a.campaignFile(); err != nil {
		return fmt.Errorf("%w; the file says where in Vault that is kept, and where the ledgers are", err)
	}
	folder, err := a.readableLedger(cmd.Context(), dir, args)
	if err != nil {
		return err
	}
	r, err := ledger.OpenReader(folder)
	if err != nil {
		return err
	}
	return a.withVault(cmd.Context(), func(s *session) error { return do(s, r) })
}

func (a *app) ledgerVerifyProof() *cobra.Command {
	var keyFile string
	var out output
	c := &cobra.Command{
		Use:   "verify-proof FILE",
		Short: "Check what `ledger prove` printed, with nothing but the public key",
		Long: `verify-proof checks that the entry in a proof is in the log that the key signed, and prints it. It
needs neither the ledger nor a campaign file nor Vault. The key is the one that somebody you trust
gave you (rollcall ledger key). FILE may be - for standard input.

Exit code 0 if the proof holds, 1 otherwise.`,
		Args: oneArgument("what `rollcall ledger prove` printed, or - for standard input"),
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			key, err := ledger.ReadKeyFile(keyFile)
			if err != nil {
				return err
			}
			var text []byte
			if args[0] == "-" {
				text, err = io.ReadAll(io.LimitReader(a.In, ledger.MaxProof+1))
			} else {
				text, err = os.ReadFile(args[0])
			}
			if err != nil {
				return err
			}
			p, err := ledger.CheckProof(text, key)
			if err != nil {
				return fmt.Errorf("NOT PROVED: %s: %w", args[0], err)
			}
			if asJSON {
				return printJSON(a.Out, map[string]any{"proved": true, "campaign": p.Campaign, "index": p.Index, "size": p.Size, "entry": p.Entry})
			}
			a.result("PROVED: entry %d of the %d that campaign %s had when its log was signed", p.Index, p.Size, report.Clean(p.Campaign))
			return ledger.WriteText(a.Out, p.Index, p.Entry)
		},
	}
	out.flag(c)
	c.Flags().StringVar(&keyFile, "key", "", "file with the public key (see rollcall ledger key)")
	_ = c.MarkFlagRequired("key")
	return c
}
