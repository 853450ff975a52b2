//go:build e2e && linux

package bench

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// atLeast is the goal ÷ ghostunnel, for every kind of load.
const atLeast = 0.9

// report prints medians and each goal, and returns them as rows of the page.
func (b *proxyBench) report() (rows []Row) {
	b.Helper()
	for i, w := range works {
		for _, c := range b.all {
			if len(c.got[i]) == 0 {
				continue
			}
			v := b.median(c.name, i)
			r := Row{What: w.name + ", " + c.name, Figure: fmt.Sprintf("%.0f /s, %.0f µs of processor each", v, c.cpu[i]/c.done[i]*1e6)}
			against := func(rival string, goal float64) {
				reference := b.median(rival, i)
				if reference == 0 || c.name == rival {
					return
				}
				r.Figure += fmt.Sprintf(", %.2f × %s", v/reference, rival)
				if goal > 0 {
					r.Goal = strings.TrimPrefix(fmt.Sprintf("%s, %.2f × %s", r.Goal, goal, rival), ", ")
					r.Missed = r.Missed || v/reference < goal
				}
			}
			switch c.name {
			case "proxy":
				against(nginx, w.goal)
				against(nginxKept, 0)
				against(nginxPlain, 0)
				against("ghostunnel", atLeast)
			case "proxy --read-only":
				against(nginx, w.readOnly)
				against(nginxKept, 0)
				against(nginxPlain, 0)
			default:
				against(nginx, 0)
			}
			rows = append(rows, r)
		}
	}
	for _, c := range b.all {
		rows = append(rows, Row{What: "memory, " + c.name, Figure: fmt.Sprintf("%d MiB at most", b.peak(c)>>10)})
	}
	for _, r := range rows {
		line := fmt.Sprintf("%-42s %s", r.What, r.Figure)
		if r.Goal != "" {
			line += "; goal " + r.Goal + map[bool]string{true: " MISSED", false: " met"}[r.Missed]
		}
		b.Log(line)
	}
	return rows
}

// peak is the most memory, in KiB, that one of a contender's processes has had.
func (b *proxyBench) peak(c *contender) (most int) {
	for _, pid := range b.processes(c) {
		status, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			continue // it has ended
		}
		if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			b.must(err)
			most = max(most, kib)
		}
	}
	return most
}

// median is 0 for what was not measured.
func (b *proxyBench) median(name string, work int) float64 {
	for _, c := range b.all {
		if got := slices.Clone(c.got[work]); c.name == name && len(got) > 0 {
			slices.Sort(got)
			return got[len(got)/2]
		}
	}
	return 0
}

// processes are those of a contender's process group.
func (b *proxyBench) processes(c *contender) (pids []string) {
	entries, err := os.ReadDir("/proc")
	b.must(err)
	for _, e := range entries {
		if f := stat(e.Name()); len(f) > 2 && f[2] == strconv.Itoa(c.cmd.Process.Pid) {
			pids = append(pids, e.Name())
		}
	}
	return pids
}

// stat is what follows a process's name: state, parent, group and more (proc_pid_stat(5)).
func stat(pid string) []string {
	text, _ := os.ReadFile("/proc/" + pid + "/stat") // none if it has ended
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// processor is how many seconds of it a contender's processes have had.
func (b *proxyBench) processor(c *contender) float64 {
	sum := 0
	for _, pid := range b.processes(c) {
		sum += ticks(stat(pid))
	}
	return float64(sum) / 100
}

// ticks are the hundredths of a second of processor in what stat returns.
func ticks(fields []string) int {
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11]) // the kernel writes numbers there
	system, _ := strconv.Atoi(fields[12])
	return user + system
}
