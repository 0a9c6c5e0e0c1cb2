// A member of a group, by HashiCorp's memberlist, set up as MetalLB's speakers set it up.
//
// It prints a line for each event ("join n1", "leave n1", "update n1 ..."). It reads "members", which it answers with
// "members n1=0 n2=1" (0 alive, 1 suspect), and "join ADDRESS...". At the end of its input it leaves in good order.
package main

import (
	"bufio"
	"crypto/sha256"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"
)

type printer struct{}

func (printer) NotifyJoin(n *memberlist.Node)   { fmt.Println("join", n.Name) }
func (printer) NotifyLeave(n *memberlist.Node)  { fmt.Println("leave", n.Name) }
func (printer) NotifyUpdate(n *memberlist.Node) { fmt.Printf("update %s %q\n", n.Name, n.Meta) }

func main() {
	name := flag.String("name", "", "name of the member")
	bind := flag.String("bind", "", "its address")
	port := flag.Int("port", 7946, "its port")
	secret := flag.String("secret", "", "the shared secret; empty: not encrypted")
	label := flag.String("label", "", "label of the group")
	join := flag.String("join", "", "addresses of members, with commas between them")
	flag.Parse()

	config := memberlist.DefaultLANConfig()
	config.Name, config.BindAddr, config.BindPort, config.AdvertisePort = *name, *bind, *port, *port
	config.Label = *label
	config.Events = printer{}
	config.LogOutput = os.Stderr
	if *secret != "" {
		hash := sha256.New()
		config.SecretKey = hash.Sum([]byte(*secret))[:32]
	}
	list, err := memberlist.Create(config)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	if *join != "" {
		if _, err := list.Join(strings.Split(*join, ",")); err != nil {
			fmt.Println("failed", err)
		}
	}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		switch words := strings.Fields(input.Text()); words[0] {
		case "members":
			states := []string{}
			for _, node := range list.Members() {
				states = append(states, fmt.Sprintf("%s=%d", node.Name, node.State))
			}
			sort.Strings(states)
			fmt.Println("members", strings.Join(states, " "))
		case "join":
			if _, err := list.Join(words[1:]); err != nil {
				fmt.Println("failed", err)
			}
		}
	}
	list.Leave(time.Second)
	list.Shutdown()
}
