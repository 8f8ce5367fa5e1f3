// Package workercomponent has no worker that would scale others: see
// engine/without/README.md.
package workercomponent

import "go.uber.org/fx"

// Module adds nothing to Temporal's worker service.
var Module = fx.Options()
