package prometheus

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// prometheusRule is a PrometheusRule of alerts.
type prometheusRule struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		Groups []group `json:"groups"`
	} `json:"spec"`
}

type group struct {
	Name  string `json:"name"`
	Rules []rule `json:"rules"`
}

type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Rules returns the rules as Prometheus reads them, with every duration in them, and nothing else, divided by that: how long an alert
// holds until it fires, what rates and increases look back at, offsets, and ages. So an alert that looks back at ten minutes looks
// back at ten seconds where it is divided by sixty. Counts and thresholds stay: to be above five in a quarter of an hour takes
// as many in a quarter of a minute.
func (s Shipped) Rules(by int) ([]byte, error) {
	groups := make([]group, 0, len(s.rule.Spec.Groups))
	for _, g := range s.rule.Spec.Groups {
		shorter := group{Name: g.Name}
		for _, r := range g.Rules {
			var err error
			if r.Expr, err = shorten(r.Expr, by); err != nil {
				return nil, fmt.Errorf("%s: %w", r.Alert, err)
			}
			if r.For, err = shorten(r.For, by); err != nil {
				return nil, fmt.Errorf("%s: %w", r.Alert, err)
			}
			shorter.Rules = append(shorter.Rules, r)
		}
		groups = append(groups, shorter)
	}
	return yaml.Marshal(map[string]any{"groups": groups})
}

// quotedOrDuration finds strings, in which nothing is a duration, durations, and ages: what is compared with a number of seconds.
var quotedOrDuration = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\b(?:\d+(?:ms|[smhdwy]))+\b|\btime\(\) - \w+ [<>]=? \d+\b`)

// shorten divides the durations in an expression.
func shorten(expression string, by int) (string, error) {
	var wrong error
	shorter := quotedOrDuration.ReplaceAllStringFunc(expression, func(found string) string {
		if strings.HasPrefix(found, `"`) {
			return found
		}
		if strings.HasPrefix(found, "time()") {
			i := strings.LastIndex(found, " ") + 1
			seconds, err := strconv.Atoi(found[i:])
			if err != nil || seconds%by != 0 {
				wrong = fmt.Errorf("%s seconds cannot be divided by %d", found[i:], by)
				return found
			}
			return found[:i] + strconv.Itoa(seconds/by)
		}
		long, err := time.ParseDuration(found)
		if err != nil || long%(time.Duration(by)*time.Millisecond) != 0 {
			wrong = fmt.Errorf("%s cannot be divided by %d", found, by)
			return found
		}
		return fmt.Sprintf("%dms", (long / time.Duration(by)).Milliseconds())
	})
	return shorter, wrong
}
