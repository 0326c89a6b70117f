package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nusnewob/kube-changejob/apis/v1alpha"
)

func (p *plugin) suspend() *cobra.Command {
	return p.setSuspend(true, &cobra.Command{
		Use:     "suspend NAME…",
		Short:   "Suspend ChangeTriggeredJobs: no Job runs until resume",
		Example: "  kubectl changejob suspend config-sync\n  kubectl changejob suspend -l app=web",
	})
}

func (p *plugin) resume() *cobra.Command {
	return p.setSuspend(false, &cobra.Command{
		Use:     "resume NAME…",
		Short:   "Resume ChangeTriggeredJobs: a Job runs for what has changed",
		Example: "  kubectl changejob resume config-sync\n  kubectl changejob resume -l app=web",
	})
}

func (p *plugin) setSuspend(suspend bool, cmd *cobra.Command) *cobra.Command {
	var s selection
	cmd.ValidArgsFunction = p.completeNames(many)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		s.names = names
		if len(names) == 0 && s.selector == "" {
			return errors.New("name ChangeTriggeredJobs, or select them with -l")
		}
		c, err := p.cluster(p.loud())
		if err != nil {
			return err
		}
		ctjs, err := c.triggers(cmd.Context(), s)
		if err != nil {
			return err
		}
		if len(ctjs) == 0 {
			return p.nothing(c, s)
		}
		done, err := c.setSuspend(cmd.Context(), ctjs, suspend)
		_, writeErr := p.Streams.Out.Write([]byte(strings.Join(done, "")))
		return errors.Join(err, writeErr)
	}
	s.add(cmd)
	return cmd
}

// setSuspend sets suspend where it is otherwise, and tells what it did. It asks for all of it in a dry run before: what is refused
// for one is done for none.
func (c *cluster) setSuspend(ctx context.Context, ctjs []v1alpha.ChangeTriggeredJob, suspend bool) (done []string, err error) {
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"suspend":%t}}`, suspend))
	word := map[bool]string{true: "suspended", false: "resumed"}[suspend]
	for i := range ctjs {
		if !isSet(&ctjs[i], suspend) {
			if err := c.Patch(ctx, ctjs[i].DeepCopy(), patch, client.DryRunAll); err != nil {
				return nil, err
			}
		}
	}
	for i := range ctjs {
		line := nameOf(&ctjs[i]) + " " + word + "\n"
		if isSet(&ctjs[i], suspend) {
			line = nameOf(&ctjs[i]) + " " + word + " already\n"
		} else if err := c.Patch(ctx, ctjs[i].DeepCopy(), patch); err != nil {
			return done, err
		}
		done = append(done, line)
	}
	return done, nil
}

// isSet reports whether suspend is known to be set so already: of a spec that cannot be decoded, nothing is known.
func isSet(ctj *v1alpha.ChangeTriggeredJob, suspend bool) bool {
	return ctj.Spec.Undecoded() == nil && ctj.Spec.Suspended() == suspend
}

// nameOf names a ChangeTriggeredJob as kubectl does.
func nameOf(ctj *v1alpha.ChangeTriggeredJob) string {
	return "changetriggeredjob." + v1alpha.GroupVersion.Group + "/" + ctj.Name
}
