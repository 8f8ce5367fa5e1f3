package rotation

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// What is only ended (credential.Kind.OnlyEnds) has no new value: nothing is
// staged, set, activated or cleaned. The ledger stands between the calls all
// the same.

// prepareEnd looks whether it can be ended. What is gone already is called dead
// by Apply, after its intent.
func (r *Rotator) prepareEnd(ctx context.Context, c credential.Credential) Prepared {
	account, err := r.Authority.Account(ctx, r.writeServer(), c)
	if err == nil && account.State != protocol.Accepted && account.State != protocol.Gone {
		err = stopOf(account, r.writeServer())
	}
	if err != nil {
		return keptOpen(protocol.Precheck, protocol.AsStop(err))
	}
	return Prepared{Prepared: wire.Prepared{Attempt: max(1, r.Pass), Fresh: true}}
}

// end ends it, and looks on every server whether it is gone.
func (r *Rotator) end(ctx context.Context, c credential.Credential, attempt int) Applied {
	out := Applied{Applied: wire.Applied{Attempt: attempt, Step: protocol.Retire}}
	keep := func(err error) Applied {
		out.Stop = protocol.AsStop(err)
		return out
	}
	account, err := r.Authority.Account(ctx, r.writeServer(), c)
	if err != nil {
		return keep(err)
	}
	if account.State != protocol.Gone {
		account.LeftOut, account.Accepted = r.LeftOut, c.Accepted
		_, findings, err := r.Authority.Retire(ctx, account, credential.Secret{})
		out.Findings = append(out.Findings, findings...)
		if err != nil {
			return keep(err)
		}
	}
	out.Step = protocol.Prove
	servers, leftOut := r.asked()
	for _, server := range servers {
		now, err := r.Authority.Account(ctx, server, c)
		if err != nil {
			return keep(err)
		}
		out.Evidence = append(out.Evidence, protocol.Evidence{Server: server, At: evidenceTime(r.Now()), Old: now.State})
	}
	if stop := protocol.Ended(servers, out.Evidence); stop != nil {
		return keep(stop)
	}
	out.Proof, out.LeftOut = r.Authority.ProofWithoutOld(), leftOut
	return out
}
