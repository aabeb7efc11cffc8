What happens if I'm late with a payment?
And is there any charge if I pay it off early?
and what if I pay early?
what if I pay early
is there any charge if I pay early
Hi, how much is the late fee if I miss a payment?
