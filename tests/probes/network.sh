# Sourced inside `unshare -Urnm`: this namespace, a router r and a pod network behind it.
# 10.2.0.2 answers, .3 is dropped and .4 rejected by the router, .99 has no owner; 10.9.0.1 has no
# route on the router; nobody is at 10.1.0.99; this namespace itself cannot send to 10.67.0.0/24.
mount -t tmpfs tmpfs /run && mkdir -p /run/netns
ip link set lo up
echo 0 0 >/proc/sys/net/ipv4/ping_group_range
ip netns add r && ip netns add d
ip link add eth0 type veth peer name a0 netns r
ip addr add 10.1.0.2/24 dev eth0 && ip link set eth0 up
ip link add net1 type veth peer name a1 netns r
ip addr add 10.3.0.2/24 dev net1 && ip link set net1 up
ip -n r addr add 10.1.0.1/24 dev a0 && ip -n r link set a0 up
ip -n r addr add 10.3.0.1/24 dev a1 && ip -n r link set a1 up
ip -n r link set lo up
ip -n r link add d0 type veth peer name eth0 netns d
ip -n r addr add 10.2.0.1/24 dev d0 && ip -n r link set d0 up
for last in 2 3 4 5; do ip -n d addr add 10.2.0.$last/24 dev eth0; done
ip -n d link set eth0 up && ip -n d link set lo up
ip -n d route add default via 10.2.0.1
ip netns exec r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'
ip route add default via 10.1.0.1
ip route add unreachable 10.67.0.0/24
ip netns exec r iptables -A FORWARD -d 10.2.0.3 -j DROP
ip netns exec r iptables -A FORWARD -d 10.2.0.4 -j REJECT --reject-with icmp-admin-prohibited
