/* state word + one permit word, lease time, arbitrary suspicion and arbitrarily slow daemon.
 -DASWRITTEN: permit taken by CAS, nothing else.  -DRECHECK: + state word re-read after.  default: + state word's deadline extended by CAS (same epoch).
 -DNOPROBING: client's takeover uses HALF. -DARMFIRST: tripd arms before its CAS to HALF. */
#define L 2
#define T 3
#define CLOSED 0
#define OPEN 1
#define HALF 2
#define PROBING 3
#ifdef NOPROBING
#define TAKEN HALF
#else
#define TAKEN PROBING
#endif
#define FREE 0
#define ARMED 1
#define OWNED 2
#define GOOD 3
#define BAD 4
byte t=0;
byte be=1, bs=OPEN, bd=1;
byte pe=0, ps=FREE, pl=0, pn=0;
byte lv[3];              /* lease end of the probe in flight, 0: none */
bool everTook=false;
#define LIVE ((lv[0]>t)+(lv[1]>t)+(lv[2]>t))
#define CAS(e,s,d) (be==e && bs==s && bd==d)
#define PCAS(e,s,l,n) (pe==e && ps==s && pl==l && pn==n)
inline start(id,end){ lv[id]=end; assert(LIVE<=1) }
proctype clock(){ do :: t<T -> t++ :: t>=T -> break od }
proctype client(byte id){
  byte e,s,d,n=0,x,qe,qs,ql,qn,now; bool won, ok;
  do
  :: n<2 -> n++;
     atomic{ e=be; s=bs; d=bd }; now=t; won=false; ok=false;
     if
     :: (s==OPEN || s==PROBING || s==HALF) && now>=d ->      /* heartbeat suspected stale */
        atomic{ if :: CAS(e,s,d) -> be=e+1; bs=TAKEN; bd=now+L; won=true :: else fi };
        if :: won -> if :: now+L>t -> start(id,now+L) :: else fi;
           if
           :: atomic{ lv[id]=0; if :: CAS(e+1,TAKEN,now+L) -> be=e+2; bs=CLOSED; bd=0 :: else fi }
           :: atomic{ lv[id]=0; if :: CAS(e+1,TAKEN,now+L) -> be=e+2; bs=OPEN; bd=t+1 :: else fi }
           :: break          /* killed or hung; lease runs out */
           fi
        :: else fi
     :: s==HALF ->
        atomic{ qe=pe; qs=ps; ql=pl; qn=pn };
        if :: qs==ARMED && qe==e ->
           atomic{ if :: PCAS(qe,qs,ql,qn) -> ps=OWNED; pl=now+L; won=true :: else fi };
           if :: won ->
              ok=true;
#ifdef RECHECK
              ok=(be==e && bs==HALF);
#endif
#if !defined(ASWRITTEN) && !defined(RECHECK)
              do
              :: atomic{ x=bd; if :: be!=e || bs!=HALF -> ok=false; x=255 :: else fi };
                 if :: x==255 -> break :: x!=255 && x>=now+L -> break :: else ->
                    won=false; atomic{ if :: CAS(e,HALF,x) -> bd=now+L; won=true :: else fi }; if :: won -> break :: else fi fi
              od;
#endif
              if :: ok && t<now+L -> start(id,now+L) ;
                    if :: atomic{ lv[id]=0; if :: PCAS(e,OWNED,now+L,qn) -> ps=GOOD :: else fi }
                       :: atomic{ lv[id]=0; if :: PCAS(e,OWNED,now+L,qn) -> ps=BAD :: else fi }
                       :: break
                    fi
                 :: else -> atomic{ if :: PCAS(e,OWNED,now+L,qn) -> ps=FREE :: else fi }
              fi
           :: else fi
        :: else fi
     :: else
     fi
  :: n>=2 -> break
  od
}
proctype daemon(){
  byte e,s,d,n=0,qe,qs,ql,qn,now; bool won;
  do
  :: n<3 -> n++; won=false;
     atomic{ e=be; s=bs; d=bd }; now=t;
     if
     :: s==OPEN && now>=d ->
#ifdef ARMFIRST
        atomic{ if :: ps!=OWNED || pl<=t -> pe=e+1; ps=ARMED; pn++ :: else fi };
#endif
        atomic{ if :: CAS(e,s,d) -> be=e+1; bs=HALF; bd=now+L :: else fi }
     :: s==HALF ->
        atomic{ qe=pe; qs=ps; ql=pl; qn=pn };
        if
        :: qe==e && qs==GOOD -> atomic{ if :: CAS(e,s,d) -> be=e+1; bs=CLOSED; bd=0 :: else fi }
        :: qe==e && qs==BAD -> atomic{ if :: CAS(e,s,d) -> be=e+1; bs=OPEN; bd=t+1 :: else fi }
        :: qe==e && qs==ARMED -> skip
        :: else -> if :: qs==OWNED && ql>t -> skip   /* a lease runs, whatever its epoch */
                      :: else -> atomic{ if :: PCAS(qe,qs,ql,qn) -> pe=e; ps=ARMED; pn=qn+1 :: else fi } fi
        fi
     :: s==PROBING && now>=d -> atomic{ if :: CAS(e,s,d) -> be=e+1; bs=OPEN; bd=now :: else fi }
     :: else
     fi
  :: n>=3 -> break
  od
}
init{ atomic{ run clock(); run client(0); run client(1); run daemon() } }
